"""set-billing-type over HTTP: a new item takes the old one's place, and what an invoice has stays as it is."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from billing_backlog.billing_types import service
from billing_backlog.worker import HANDLERS, JOBS
from proforma.jobs import JobRunner
from tests.billing_backlog.scene import (
    CONTRACT,
    approve,
    claimed,
    confirmation,
    entry,
    firm,
    items,
    ready,
    rows,
    run,
    violations,
)
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.rows import POSTED, change, locks_awaited, value

CALL = "/v1/backlog/set-billing-type"
LEDGER = f"select type, billing_type, quantity, amount, tax, billing_status, cause from actuals order by {POSTED}"


@pytest.fixture
async def backlog(client: Api) -> Api:
    await firm(client.runtime)
    return client


async def call(backlog: Api, billing_type: str = "non_chargeable", **which: Any) -> dict[str, Any]:
    answer = await backlog.as_("biller").post(CALL, json={**which, "billing_type": billing_type})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_old_row_is_reversed_and_a_new_item_that_is_not_ready_replaces_it(backlog: Api) -> None:
    await ready(backlog.runtime, 1, description="inside")
    await change(backlog.runtime, "update items set tax = 304")
    (old,) = await items(backlog.runtime)
    assert await call(backlog, ids=[str(old["id"])]) == {"changed": 1, "unchanged": 0, "refused": []}
    (new,) = await items(backlog.runtime)
    assert (new["billing_status"], new["billing_type"], new["tax"]) == ("unbilled", "non_chargeable", 0)
    same = set(new) - {"id", "billing_status", "billing_type", "tax", "changed_at", "changed_by"}
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert await value(backlog.runtime, "select replaces from actuals where id = $1", new["id"]) == old["id"]
    assert [tuple(row.values()) for row in await rows(backlog.runtime, LEDGER)] == [
        ("cost", "chargeable", 8, 800, 0, None, "approve"),
        ("unbilled_sales", "chargeable", 8, 1600, 0, "canceled", "approve"),
        ("unbilled_sales", "chargeable", -8, -1600, 0, "canceled", "set-billing-type"),
        ("unbilled_sales", "non_chargeable", 8, 1600, 0, "unbilled", "set-billing-type"),
    ]
    assert await violations(backlog.runtime) == []


async def test_what_the_customer_pays_keeps_its_tax(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, billing_type="complimentary"))
    await change(backlog.runtime, "update items set tax = 304")
    await call(backlog, "chargeable", filter={"contract_id": str(CONTRACT)})
    assert [(item["billing_type"], item["tax"]) for item in await items(backlog.runtime)] == [("chargeable", 304)]


async def test_what_has_no_price_still_has_none(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, role="poet"))
    await call(backlog, filter={"contract_id": str(CONTRACT)})
    (item,) = await items(backlog.runtime)
    assert (item["price"], item["amount"], item["tax"], item["unpriced"]) == (None, None, None, "no_price")
    assert (item["billing_type"], item["has_cost_price"]) == ("non_chargeable", False)


async def test_the_same_type_is_unchanged_and_the_frozen_are_refused_with_their_invoice(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    await run(backlog.runtime)
    chunks = await claimed(backlog.runtime)
    await change(backlog.runtime, "update claims set status = 'drafted', invoice_id = id")
    await approve(backlog.runtime, entry(2), entry(3, project="X"))
    on_invoice, open_item, without = sorted(
        (str(item["id"]) for item in await items(backlog.runtime)), key=lambda one: one
    )
    ids = [on_invoice, open_item, without, str(uuid4())]
    first = await call(backlog, "chargeable", ids=ids)
    assert (first["changed"], first["unchanged"]) == (0, 1)
    assert [one["reason"] for one in first["refused"]] == ["on_invoice", "no_contract_line", "not_found"]
    assert str(chunks[0].claim.id) in first["refused"][0]["detail"]
    await deliver(backlog.runtime, HANDLERS, *confirmation(chunks))
    (posted,) = (await call(backlog, ids=[on_invoice]))["refused"]
    assert (posted["reason"], str(chunks[0].claim.id) in posted["detail"]) == ("posted", True)
    assert await value(backlog.runtime, "select count(*) from actuals where cause = 'set-billing-type'") == 0


async def test_a_claim_at_once_has_the_item_or_not(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    (item,) = await items(backlog.runtime)
    runtime = backlog.runtime
    async with runtime.database.transaction() as session:
        result = await service.set_billing_type(session, runtime.context(), [item["id"]], "complimentary")
        waiting = asyncio.create_task(run(runtime))
        await locks_awaited(runtime)
    assert (result.changed, (await waiting).status) == (1, "skipped")
    assert await violations(runtime) == []


async def test_twice_at_once_has_one_effect(backlog: Api) -> None:
    await approve(backlog.runtime, *(entry(n) for n in range(1, 11)))
    ids = [str(item["id"]) for item in await items(backlog.runtime)]
    found = await asyncio.gather(*(call(backlog, ids=ids) for _ in range(3)))
    assert sorted(one["changed"] for one in found) == [0, 0, 10]
    assert {len(one["refused"]) for one in found if not one["changed"]} == {10}
    assert len(await items(backlog.runtime)) == 10
    assert await violations(backlog.runtime) == []


@pytest.mark.parametrize(
    "body", [{}, {"ids": [str(uuid4())]}, {"billing_type": "chargeable"}, {"filter": {}, "billing_type": "free"}]
)
async def test_bad_bodies(backlog: Api, body: dict[str, Any]) -> None:
    assert (await backlog.as_("biller").post(CALL, json=body)).status_code == 422


async def test_roles(backlog: Api) -> None:
    body = {"filter": {}, "billing_type": "chargeable"}
    for role in ("submitter", "approver", "service"):
        assert (await backlog.as_(role).post(CALL, json=body)).status_code == 403


async def test_more_than_a_thousand_are_a_job(backlog: Api) -> None:
    for start in (1, 501, 1001):
        await approve(backlog.runtime, *(entry(n) for n in range(start, min(start + 500, 1003))))
    body = {"filter": {"contract_id": str(CONTRACT)}, "billing_type": "complimentary"}
    answer = await backlog.as_("biller").post(CALL, json=body)
    assert answer.status_code == 202
    await JobRunner(backlog.runtime.database, backlog.runtime.context(), JOBS).run_next(asyncio.Event())
    job = (await backlog.as_("biller").get(answer.headers["location"])).json()
    assert (job["status"], job["total"], job["result"]) == ("succeeded", 1002, {"changed": 1002, "unchanged": 0})
    assert await value(backlog.runtime, "select count(*) from items where billing_type = 'complimentary'") == 1002
