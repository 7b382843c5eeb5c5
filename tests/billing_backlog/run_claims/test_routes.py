"""Refresh, claim and retry over HTTP."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from billing_backlog.triggers.rules import Due
from billing_backlog.triggers.service import fail
from proforma.events.billing_backlog import ItemsClaimed
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters, statuses
from tests.billing_backlog.scene import CONTRACT, LINE, claimed, firm, items, ready, run, violations
from tests.billing_backlog.triggers import calendars
from tests.support.api import Api
from tests.support.rows import change, rows

URL = "/v1/invoice-runs"


@pytest.fixture(autouse=True)
async def _firm(runtime: Runtime) -> None:
    await firm(runtime)


async def call(desk: Masters, run_id: Any, verb: str, etag: str = "*", **body: Any) -> httpx.Response:
    sent = {"json": body} if body else {}
    return await desk.biller.post(f"{URL}/{run_id}/{verb}", headers={"If-Match": etag}, **sent)  # type: ignore[arg-type]


async def chunks_of(runtime: Runtime) -> list[ItemsClaimed]:
    return sorted(await claimed(runtime), key=lambda chunk: chunk.claim.id)


async def test_a_refresh_is_a_claim_of_its_own_under_the_run(runtime: Runtime, desk: Masters) -> None:
    await ready(runtime, 1)
    first = await run(runtime, cut_off=date(2026, 2, 10))
    await ready(runtime, 2)
    await ready(runtime, 3, date=date(2026, 2, 11))
    answer = await call(desk, first.id, "refresh", '"1"')
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (answer.headers["etag"], answer.headers["location"]) == ('"2"', f"{URL}/{first.id}")
    assert (told["status"], [one["items"] for one in told["claims"]]) == ("claimed", [1, 1])
    (line,) = told["lines"]
    assert (line["items"], line["amount"], line["left_out"]) == (2, "3200.00", {"after_cut_off": 1})
    one, two = await chunks_of(runtime)
    assert one.claim.id != two.claim.id
    assert one.claim.run_id == two.claim.run_id == first.id
    assert (await desk.biller.get(f"{URL}/{first.id}")).json() == told
    assert await violations(runtime) == []


async def test_a_refresh_keeps_to_the_runs_lines(runtime: Runtime, desk: Masters) -> None:
    await ready(runtime, 1)
    first = await run(runtime)
    contract = {"id": str(CONTRACT)}
    product = await desk.product(contract)
    await desk.mark("product-backlog", product)
    fixed = await desk.line(contract, project="F", billing_method="fixed_price", contracted_amount="5")
    await desk.mark("milestones", await desk.milestone(fixed, amount="5"))
    assert len((await call(desk, first.id, "refresh")).json()["claims"]) == 1
    second = await desk.invoice(contract)
    assert second["claims"][0]["items"] == 2
    third = await desk.milestone(fixed, amount="1")
    await desk.patch(f"/v1/contract-lines/{fixed['id']}", {"contracted_amount": "6"})
    await desk.mark("milestones", third)
    assert [one["items"] for one in (await call(desk, second["id"], "refresh")).json()["claims"]] == [2, 1]


async def test_a_skipped_run_becomes_claimed(runtime: Runtime, desk: Masters) -> None:
    skipped = await run(runtime)
    assert skipped.status == "skipped"
    await ready(runtime, 1)
    told = (await call(desk, skipped.id, "refresh")).json()
    assert (told["status"], told["reason"], len(told["claims"])) == ("claimed", None, 1)


async def test_a_run_of_named_items_is_not_widened(runtime: Runtime, desk: Masters) -> None:
    await ready(runtime, 1, 2)
    chosen = (await items(runtime))[0]["id"]
    named = await run(runtime, item_ids=[chosen])
    told = await call(desk, named.id, "refresh")
    assert (told.status_code, len(told.json()["claims"]), told.headers["etag"]) == (202, 1, '"1"')


async def test_two_refreshes_at_once_take_each_item_once(runtime: Runtime, desk: Masters) -> None:
    first = await run(runtime)
    await ready(runtime, *range(1, 31))
    both = await asyncio.gather(*(call(desk, first.id, "refresh") for _ in range(3)))
    assert statuses(*both) == [202, 202, 202]
    assert [one.claim.items for one in await claimed(runtime)] == [30]
    again = await asyncio.gather(*(call(desk, first.id, "refresh", '"4"') for _ in range(2)))
    assert statuses(*again) == [202, 412]
    assert await violations(runtime) == []


async def test_the_same_key_claims_once(runtime: Runtime, desk: Masters) -> None:
    first = await run(runtime)
    await ready(runtime, 1)
    headers = {"If-Match": "*", "Idempotency-Key": "k"}
    both = [await desk.biller.post(f"{URL}/{first.id}/refresh", headers=headers) for _ in range(2)]
    assert both[0].text == both[1].text
    assert len(await claimed(runtime)) == 1


async def test_chosen_items_join_whatever_the_cut_off_but_not_from_the_future(runtime: Runtime, desk: Masters) -> None:
    await ready(runtime, 1)
    first = await run(runtime, cut_off=date(2026, 2, 10))
    await ready(runtime, 2, date=date(2026, 2, 20))
    await ready(runtime, 3, date=date(2026, 3, 3))
    await ready(runtime, 4, date=date(2026, 2, 21))
    contract = {"id": str(CONTRACT)}
    product = await desk.product(contract)
    await desk.mark("product-backlog", product)
    _, late, other, future = (item["id"] for item in await items(runtime) if item["source"] == "backlog")
    new_line = await desk.line(contract, project="Q")
    await ready(runtime, 5, 6, project="Q")
    of_new = next(item["id"] for item in await items(runtime) if item["project"] == "Q")
    chosen = [str(late), str(future), str(of_new), product["id"], str(uuid4())]
    told = (await call(desk, first.id, "claim", '"1"', item_ids=chosen)).json()
    assert [one["items"] for one in told["claims"]] == [1, 3]
    lines = {one["contract_line_id"]: one for one in told["lines"]}
    assert (lines[str(LINE)]["items"], lines[str(LINE)]["cut_off"]) == (2, "2026-02-10")
    assert lines[str(LINE)]["left_out"] == {"after_cut_off": 1, "future_dated": 1}
    for line in (product, new_line):
        assert (lines[line["id"]]["items"], lines[line["id"]]["cut_off"]) == (1, None)
    # Neither the cut-off nor the lines of the run have grown: a refresh finds nothing more.
    assert len((await call(desk, first.id, "refresh")).json()["claims"]) == 2
    left = (await desk.biller.get(f"{URL}/{first.id}/left-out")).json()["items"]
    assert {one["item_id"] for one in left} == {str(other), str(future)}
    assert await violations(runtime) == []


async def failed_run(runtime: Runtime) -> UUID:
    """A scheduled run whose trigger was given up."""
    await calendars.schedule(runtime, calendars.TODAY)
    await give_up(runtime)
    (found,) = await rows(runtime, "select id, status from runs where kind = 'scheduled'")
    assert found["status"] == "failed"
    made: UUID = found["id"]
    return made


async def give_up(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        await fail(session, runtime.context(), [Due(CONTRACT, LINE, calendars.TODAY)], "the trigger was given up")


@pytest.mark.parametrize("something", [True, False])
async def test_a_failed_run_is_retried_with_its_lines_and_its_rows_say_so(
    runtime: Runtime, desk: Masters, something: bool
) -> None:
    run_id = await failed_run(runtime)
    shown = (await desk.biller.get(f"{URL}/{run_id}")).json()
    assert (shown["reason"], [one["contract_line_id"] for one in shown["lines"]]) == (
        "the trigger was given up", [str(LINE)]
    )  # fmt: skip
    bodies: list[tuple[str, Any]] = [("refresh", {}), ("claim", {"item_ids": [str(uuid4())]})]
    for verb, body in bodies:
        refused = await call(desk, run_id, verb, **body)
        assert (refused.status_code, refused.json()["allowed"]) == (409, ["claimed", "skipped"])
    if something:
        await ready(runtime, 1)
    told = await call(desk, run_id, "retry", '"1"')
    assert told.status_code == 202, told.text
    assert told.json()["status"] == ("claimed" if something else "skipped")
    assert told.json()["reason"] == (None if something else "nothing_to_bill")
    assert await calendars.statuses(runtime) == {calendars.TODAY: "successful" if something else "skipped"}
    (row,) = await rows(runtime, "select run_id, claim_id from schedule_rows")
    assert row["run_id"] == run_id
    assert (row["claim_id"] is not None) is something
    again = await call(desk, run_id, "retry")
    assert (again.status_code, again.json()["allowed"]) == (409, ["failed"])


async def test_two_retries_at_once_run_once(runtime: Runtime, desk: Masters) -> None:
    run_id = await failed_run(runtime)
    await ready(runtime, 1)
    assert statuses(*await asyncio.gather(*(call(desk, run_id, "retry") for _ in range(2)))) == [202, 409]
    assert len(await claimed(runtime)) == 1


async def test_a_run_that_fails_after_it_has_claimed_keeps_what_it_claimed(runtime: Runtime, desk: Masters) -> None:
    run_id = await failed_run(runtime)
    await ready(runtime, 1)
    await call(desk, run_id, "retry")
    await change(runtime, "update schedule_rows set status = 'not_run', run_id = null, claim_id = null, ran_at = null")
    await give_up(runtime)
    shown = (await desk.biller.get(f"{URL}/{run_id}")).json()
    assert (shown["status"], shown["items"], shown["lines"][0]["items"]) == ("failed", 1, 1)
    told = (await call(desk, run_id, "retry")).json()
    assert (told["status"], told["reason"], told["items"]) == ("claimed", None, 1)
    assert len(await claimed(runtime)) == 1


async def test_a_failed_run_waits_and_can_be_asked_again(runtime: Runtime, client: Api) -> None:
    run_id = await failed_run(runtime)
    await ready(runtime, 1)
    admin = client.as_("admin")
    (waits,) = [one for one in (await admin.get("/v1/waiting")).json()["items"] if one["kind"] == "failed_run"]
    assert waits["id"] == str(run_id)
    assert (await admin.post(f"/v1/waiting/{run_id}/ask")).status_code == 204
    assert await calendars.statuses(runtime) == {calendars.TODAY: "successful"}
    assert (await admin.post(f"/v1/waiting/{run_id}/ask")).status_code == 404


@pytest.mark.parametrize("verb", ["refresh", "claim", "retry"])
async def test_what_is_refused(runtime: Runtime, client: Api, desk: Masters, verb: str) -> None:
    first = await run(runtime)
    body: Any = {"item_ids": [str(uuid4())]} if verb == "claim" else {}
    assert (await desk.biller.post(f"{URL}/{first.id}/{verb}", json=body or None)).status_code == 428
    assert (await call(desk, first.id, verb, '"9"', **body)).status_code == 412
    assert (await call(desk, uuid4(), verb, **body)).status_code == 404
    for role in ("submitter", "approver", "service"):
        other = client.as_(role)
        answer = await other.post(f"{URL}/{first.id}/{verb}", json=body or None, headers={"If-Match": "*"})
        assert answer.status_code == 403
    await change(runtime, "update contracts set status = 'closed'")
    closed = await call(desk, first.id, verb, **body)
    assert (closed.status_code, closed.json()["reason"]) == (409, "contract_not_active")


@pytest.mark.parametrize("body", [{"item_ids": []}, {"item_ids": ["x"]}, {"ids": [str(uuid4())]},
                                  {"item_ids": [str(uuid4())] * 1001}])  # fmt: skip
async def test_a_bad_claim(runtime: Runtime, desk: Masters, body: Any) -> None:
    first = await run(runtime)
    assert (await call(desk, first.id, "claim", **body)).status_code == 422
