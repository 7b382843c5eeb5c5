"""Journal lines over HTTP: unbilled sales without an entry, and back."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from billing_backlog.backlog.service import READY, move
from billing_backlog.journal_lines import service
from billing_backlog.journal_lines.schemas import JournalLineIn
from billing_backlog.runs.schemas import CreateInvoiceIn
from billing_backlog.runs.service import create_invoice
from billing_backlog.worker import HANDLERS
from proforma.db import execute
from proforma.errors import Conflict
from tests.billing_backlog.scene import CONTRACT, LINE, claimed, confirmation, firm, items, rows, run, violations
from tests.billing_backlog.terms import all_classes, fixed_price
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.rows import POSTED, change, locks_awaited, value

CALL = "/v1/journal-lines"
LEDGER = f"select type, class, billing_type, quantity, amount, billing_status, cause from actuals order by {POSTED}"
FEE = {"contract_line_id": str(LINE), "class": "fee", "date": "2026-02-02", "quantity": "1", "price": "300"}


@pytest.fixture
async def backlog(client: Api) -> Api:
    await firm(client.runtime)
    await all_classes(client.runtime)
    return client


async def post(backlog: Api, body: object) -> httpx.Response:
    return await backlog.as_("biller").post(CALL, json=body)


async def made(backlog: Api, **changes: Any) -> dict[str, Any]:
    answer = await post(backlog, FEE | changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def cancel(backlog: Api, line_id: str, etag: str = "*") -> httpx.Response:
    return await backlog.as_("biller").post(f"{CALL}/{line_id}/cancel", headers={"If-Match": etag})


async def shown(backlog: Api) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await rows(backlog.runtime, LEDGER)]


async def test_a_fee_is_unbilled_sales_and_an_item_under_its_own_id(backlog: Api) -> None:
    line = await made(backlog, quantity="3", price="33.3333", tax="19", external_id="F-1")
    assert (line["amount"], line["tax"], line["unit"], line["status"]) == ("100.00", "19", "each", "open")
    (item,) = await items(backlog.runtime)
    assert item["id"] == item["journal_line_id"] == UUID(line["id"])
    assert (item["billing_status"], item["class"], item["tax"], item["has_cost_price"]) == ("unbilled", "fee", 19, True)
    assert await shown(backlog) == [("unbilled_sales", "fee", "chargeable", 3, 100, "unbilled", "journal")]
    listed = (await backlog.as_("biller").get("/v1/backlog")).json()["items"]
    assert [one["reasons"] for one in listed] == [["not_ready", "schedule_missing"]]
    assert await violations(backlog.runtime) == []


async def test_it_is_billed_as_work_is(backlog: Api) -> None:
    line = await made(backlog)
    async with backlog.runtime.database.transaction() as session:
        await move(session, backlog.runtime.context(), [UUID(line["id"])], READY)
    await run(backlog.runtime)
    await deliver(backlog.runtime, HANDLERS, *confirmation(await claimed(backlog.runtime)))
    assert [row[:5] for row in await shown(backlog)] == [
        ("unbilled_sales", "fee", "chargeable", 1, 300),
        ("unbilled_sales", "fee", "chargeable", -1, -300),
        ("billed_sales", "fee", "chargeable", 1, 300),
    ]
    assert (
        await value(backlog.runtime, "select count(*) from actuals where journal_line_id = $1", UUID(line["id"])) == 3
    )
    refused = await cancel(backlog, line["id"])
    assert (refused.status_code, refused.json()["reason"]) == (409, "posted")
    assert refused.json()["invoice_id"] == str((await claimed(backlog.runtime))[0].claim.id)
    assert await violations(backlog.runtime) == []


async def test_canceled_it_is_reversed_once(backlog: Api) -> None:
    line = await made(backlog)
    assert (await backlog.as_("biller").post(f"{CALL}/{line['id']}/cancel")).status_code == 428
    assert (await cancel(backlog, line["id"], '"7"')).status_code == 412
    answer = await cancel(backlog, line["id"], '"1"')
    assert (answer.status_code, answer.json()["status"], answer.headers["etag"]) == (200, "canceled", '"2"')
    again = await cancel(backlog, line["id"])
    assert (again.status_code, again.json()["reason"]) == (409, "canceled")
    assert [(row[3], row[5], row[6]) for row in await shown(backlog)] == [
        (1, "canceled", "journal"), (-1, "canceled", "cancel"),
    ]  # fmt: skip
    assert await items(backlog.runtime) == []
    assert await violations(backlog.runtime) == []


async def test_on_an_invoice_it_is_refused_also_when_the_claim_comes_first_by_a_hair(backlog: Api) -> None:
    line, runtime = await made(backlog), backlog.runtime
    async with runtime.database.transaction() as session:
        await move(session, runtime.context(), [UUID(line["id"])], READY)
    assert await _cancel_behind(backlog, UUID(line["id"])) == "on_invoice"
    assert [item["billing_status"] for item in await items(runtime)] == ["on_invoice"]


async def _cancel_behind(backlog: Api, line_id: UUID) -> str | None:
    """Holds the contract until the cancel waits for it, claims, and says what the cancel was told."""
    runtime = backlog.runtime

    async def attempt() -> str | None:
        try:
            async with runtime.database.transaction() as session:
                await service.cancel(session, runtime.context(), line_id, None)
        except Conflict as refused:
            return refused.reason
        return None

    async with runtime.database.transaction() as session:
        await create_invoice(session, runtime.context(), CONTRACT, CreateInvoiceIn())
        waiting = asyncio.create_task(attempt())
        await locks_awaited(runtime)
    return await waiting


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ("update contract_lines set includes = '{time}'", "class_not_included"),
        ("update contracts set status = 'closed'", "contract_not_active"),
        (None, "not_chargeable"),
    ],
)
async def test_refusals_have_their_reason(backlog: Api, terms: str | None, reason: str) -> None:
    if terms is None:
        await fixed_price(backlog.runtime)
    else:
        await change(backlog.runtime, terms)
    one = await post(backlog, FEE)
    assert (one.status_code, one.json()["reason"]) == (409, reason)
    many = await post(backlog, [FEE, FEE])
    assert many.status_code == 422
    assert [error["reason"] for error in many.json()["errors"]] == [reason, reason]
    assert await items(backlog.runtime) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"contract_line_id": str(uuid4())}, "/contract_line_id"),
        ({"quantity": "0"}, "/quantity"),
        ({"price": "-1"}, "/price"),
        ({"tax": "-1"}, "/tax"),
        ({"tax": "0.001"}, "/tax"),
        ({"class": "milestone"}, "/class"),
        ({"amount": "7"}, "/amount"),
    ],
)
async def test_bad_bodies_name_the_field(backlog: Api, changes: dict[str, Any], pointer: str) -> None:
    answer = await post(backlog, FEE | changes)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_an_array_is_all_or_nothing_and_each_bad_index_is_named(backlog: Api) -> None:
    await change(backlog.runtime, "update contract_lines set valid_to = '2026-03-01'")
    late = FEE | {"date": "2026-03-02"}
    answer = await post(backlog, [FEE, late, FEE, late])
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/1/date", "/3/date"]
    both = await post(backlog, [FEE, FEE | {"class": "time", "quantity": "2"}])
    assert [one["unit"] for one in both.json()["items"]] == ["each", "hour"]
    assert len(await items(backlog.runtime)) == 2


async def test_lists_filters_and_one(backlog: Api) -> None:
    one, two = await made(backlog, external_id="A"), await made(backlog)
    await cancel(backlog, two["id"])
    reader = backlog.as_("service")

    async def listed(**query: str) -> list[str]:
        return [line["id"] for line in (await reader.get(CALL, params=query)).json()["items"]]

    assert await listed() == [one["id"], two["id"]]
    assert await listed(status="canceled") == [two["id"]]
    assert await listed(external_id="A", contract_id=str(CONTRACT), contract_line_id=str(LINE)) == [one["id"]]
    assert await listed(contract_id=str(uuid4())) == []
    shown_one = await reader.get(f"{CALL}/{one['id']}")
    assert (shown_one.json(), shown_one.headers["etag"]) == (one, '"1"')
    assert (await reader.get(f"{CALL}/{uuid4()}")).status_code == 404
    assert (await post(backlog, FEE | {"external_id": "A"})).status_code == 409


async def test_sent_twice_under_one_key_there_is_one(backlog: Api) -> None:
    key = {"Idempotency-Key": "fee"}
    answers = await asyncio.gather(*(backlog.as_("biller").post(CALL, json=FEE, headers=key) for _ in range(3)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [item["amount"] for item in await items(backlog.runtime)] == [Decimal(300)]


async def test_behind_a_contract_that_ends_there_is_no_fee(backlog: Api) -> None:
    runtime = backlog.runtime
    body = JournalLineIn.model_validate(FEE)

    async def attempt() -> str:
        try:
            async with runtime.database.transaction() as session:
                await service.create(session, runtime.context(), {"": body})
        except Conflict as refused:
            return refused.reason
        return "made"

    async with runtime.database.transaction() as session:
        await execute(session, "update contracts set status = 'closed'")
        waiting = asyncio.create_task(attempt())
        await locks_awaited(runtime)
    assert await waiting == "contract_not_active"
    assert await items(runtime) == []


async def test_roles(backlog: Api) -> None:
    for role in ("submitter", "approver", "service"):
        assert (await backlog.as_(role).post(CALL, json=FEE)).status_code == 403
    assert (await backlog.as_("submitter").get(CALL)).status_code == 403
