"""Confirmed invoices post, once, in whatever order their chunks come; what does not match blocks visibly."""

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest

from billing_backlog.postings.service import confirmed
from billing_backlog.worker import HANDLERS
from proforma.clock import new_id
from proforma.db import execute
from proforma.events.billing_backlog import InvoicePosted, PostingBlocked
from proforma.events.invoicing import DetailsReleased, InvoiceConfirmed, ReleasedDetail
from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, CONTRACT, claimed, confirmation, firm, items, ready, rows, run, violations
from tests.conftest import MakeApi, MakeRuntime
from tests.support.events import DeadLettered, deliver, outbox_of


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    found = await make_runtime("billing-backlog")
    await firm(found)
    return found


async def answers(runtime: Runtime) -> list[tuple[str, dict[str, Any]]]:
    kinds = {InvoicePosted.TYPE: "posted", PostingBlocked.TYPE: "blocked"}
    return [(kinds[one.type], one.body) for one in await outbox_of(runtime) if one.type in kinds]


async def drafted(runtime: Runtime, count: int, per_chunk: int = 500) -> list[InvoiceConfirmed]:
    await ready(runtime, *range(1, count + 1))
    await run(runtime)
    return confirmation(await claimed(runtime), per_chunk=per_chunk)


async def test_chunks_shuffled_and_doubled_post_once(runtime: Runtime) -> None:
    chunks = await drafted(runtime, 23, per_chunk=5)
    shuffled = chunks * 2
    random.Random(7).shuffle(shuffled)
    last_new = max(shuffled.index(chunk) for chunk in chunks)
    await deliver(runtime, HANDLERS, *shuffled[:last_new])
    assert (await rows(runtime, "select status from postings")) == [{"status": "pending"}]
    assert await answers(runtime) == []
    await deliver(runtime, HANDLERS, *shuffled[last_new:])
    assert await items(runtime) == []
    ((kind, body),) = await answers(runtime)
    assert kind == "posted"
    assert body["totals"] == {"count": 23, "quantity": "184", "amount": "36800.00", "tax": "0"}
    assert (await rows(runtime, "select count(*) as n from actuals where type = 'billed_sales'"))[0]["n"] == 23
    assert await violations(runtime) == []
    before = await rows(runtime, "select * from postings")
    await deliver(runtime, HANDLERS, *chunks)
    assert await rows(runtime, "select * from postings") == before
    assert [kind for kind, _ in await answers(runtime)] == ["posted", "posted"], "who asks again is answered again"


async def test_two_workers_with_the_same_confirmation_post_it_once(runtime: Runtime) -> None:
    chunks = await drafted(runtime, 20, per_chunk=4)

    async def one(part: list[InvoiceConfirmed]) -> None:
        async with runtime.database.transaction() as session:
            await confirmed(session, runtime.context(), part)

    await asyncio.gather(one(chunks), one(chunks[::-1]), one(chunks[2:]))
    assert (await rows(runtime, "select status, seen from postings")) == [{"status": "posted", "seen": 5}]
    assert await violations(runtime) == []


async def test_what_does_not_match_blocks_visibly_and_the_rest_posts(runtime: Runtime) -> None:
    chunks = await drafted(runtime, 3)
    claim = chunks[0].invoice_id
    first = (await items(runtime))[0]["id"]
    released = DetailsReleased(
        invoice_id=claim, contract_id=CONTRACT, by="b", at=AT, details=[ReleasedDetail(item_id=first, claim_id=claim)]
    )
    await deliver(runtime, HANDLERS, released, *chunks)
    ((kind, body),) = await answers(runtime)
    assert (kind, body["reason"]) == ("blocked", "1 of 3 details do not match what is claimed")
    blocked = await rows(runtime, "select reason from posting_blocked")
    assert blocked == [{"reason": f"item {first} is ready, on no invoice"}]
    waiting = await rows(runtime, "select kind, detail from waiting where kind = 'posting'")
    assert len(waiting) == 1
    assert [item["billing_status"] for item in await items(runtime)] == ["ready"]
    assert await violations(runtime) == []


async def test_of_two_details_of_one_item_one_is_billed_and_one_blocks(runtime: Runtime) -> None:
    (chunk,) = await drafted(runtime, 1)
    (detail,) = chunk.details
    twin = detail.model_copy(update={"detail_id": new_id()})
    totals = chunk.totals.model_copy(update={"count": 2})
    await deliver(runtime, HANDLERS, chunk.model_copy(update={"details": [detail, twin], "totals": totals}))
    assert (await answers(runtime))[0][0] == "blocked"
    billed = await rows(runtime, "select invoice_detail_id from actuals where type = 'billed_sales'")
    blocked = await rows(runtime, "select detail_id from posting_blocked")
    assert len(billed) == len(blocked) == 1
    assert {billed[0]["invoice_detail_id"], blocked[0]["detail_id"]} == {detail.detail_id, twin.detail_id}
    assert await items(runtime) == []
    assert await violations(runtime) == []


async def test_other_figures_than_claimed_block(runtime: Runtime) -> None:
    (chunk,) = await drafted(runtime, 1)
    detail = chunk.details[0]
    forged = detail.now.model_copy(update={"amount": Decimal("1700.00")})
    detail = detail.model_copy(update={"was": forged, "now": forged})
    await deliver(runtime, HANDLERS, chunk.model_copy(update={"details": [detail]}))
    assert (await answers(runtime))[0][0] == "blocked"
    assert len(await items(runtime)) == 1


async def test_control_totals_that_differ_block(runtime: Runtime) -> None:
    (chunk,) = await drafted(runtime, 2)
    totals = chunk.totals.model_copy(update={"amount": chunk.totals.amount + 1})
    await deliver(runtime, HANDLERS, chunk.model_copy(update={"totals": totals}))
    ((kind, body),) = await answers(runtime)
    assert kind == "blocked"
    assert body["reason"].startswith("control totals differ")


async def test_what_no_invoice_can_say_is_set_aside(runtime: Runtime) -> None:
    (chunk,) = await drafted(runtime, 1)
    forged = chunk.details[0].model_copy(update={"original_detail_id": new_id()})
    with pytest.raises(DeadLettered, match="corrects another one, but its invoice is no corrective"):
        await deliver(runtime, HANDLERS, chunk.model_copy(update={"details": [forged]}))
    assert len(await items(runtime)) == 1


async def test_the_two_exits_of_what_is_blocked(api: MakeApi) -> None:
    backlog = await api("billing-backlog")
    runtime = backlog.runtime
    await firm(runtime)
    (chunk,) = await drafted(runtime, 2)
    one, two = chunk.details
    lost = two.model_copy(update={"item_id": new_id()})
    await deliver(runtime, HANDLERS, chunk.model_copy(update={"details": [one, lost]}))
    address = f"/v1/postings/{chunk.invoice_id}"
    shown = await backlog.as_("biller").get(address)
    assert shown.json()["status"] == "blocked"
    assert [row["detail_id"] for row in shown.json()["blocked"]] == [str(two.detail_id)]
    tag = {"If-Match": shown.headers["etag"]}
    assert (await backlog.as_("biller").post(address + "/retry")).status_code == 428
    again = await backlog.as_("biller").post(address + "/retry", headers=tag)
    assert (again.status_code, again.json()["status"]) == (200, "blocked")
    assert (await backlog.as_("biller").post(address + "/accept", json={"reason": "x"}, headers=tag)).status_code == 403
    accepted = await backlog.as_("admin").post(
        address + "/accept", json={"reason": "agreed"}, headers={"If-Match": "*"}
    )
    assert accepted.json()["status"] == "posted"
    assert (accepted.json()["accepted_by"], accepted.json()["accept_reason"]) == ("admin", "agreed")
    billed = await rows(runtime, "select replaces, amount from actuals where type = 'billed_sales' order by id")
    assert [(row["replaces"] is None, row["amount"]) for row in billed] == [(False, 1600), (True, 1600)]
    assert [kind for kind, _ in await answers(runtime)][-1] == "posted"
    refused = await backlog.as_("admin").post(address + "/accept", json={"reason": "x"}, headers={"If-Match": "*"})
    assert refused.status_code == 409


async def test_retry_posts_what_matches_again(runtime: Runtime, api: MakeApi) -> None:
    chunks = await drafted(runtime, 1)
    claim = chunks[0].invoice_id
    async with runtime.database.transaction() as session:
        await execute(session, "update items set billing_status = 'ready', claim_id = null")
    await deliver(runtime, HANDLERS, *chunks)
    async with runtime.database.transaction() as session:
        await execute(session, "update items set billing_status = 'on_invoice', claim_id = $1", claim)
    backlog = await api(runtime)
    answer = await backlog.as_("manager").post(f"/v1/postings/{claim}/retry", headers={"If-Match": "*"})
    assert answer.json()["status"] == "posted"
    assert await items(runtime) == []
    assert await violations(runtime) == []


async def test_a_confirmation_cannot_be_dropped(api: MakeApi) -> None:
    backlog = await api("billing-backlog")
    await firm(backlog.runtime)
    (chunk,) = await drafted(backlog.runtime, 1)
    with pytest.raises(DeadLettered):
        await deliver(backlog.runtime, HANDLERS, chunk.model_copy(update={"kind": "corrective"}))
    (letter,) = (await backlog.as_("admin").get("/v1/dead-letters")).json()["items"]
    refused = await backlog.as_("admin").post(f"/v1/dead-letters/{letter['id']}/drop", json={"reason": "away with it"})
    assert refused.status_code == 409
    repaired = {"body": chunk.model_dump_json()}
    replayed = await backlog.as_("admin").post(f"/v1/dead-letters/{letter['id']}/replay", json=repaired)
    assert replayed.json()["status"] == "replayed", replayed.text
    assert await items(backlog.runtime) == []
