"""Claims: the only way on to an invoice, and back."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing_backlog.worker import ASKS, HANDLERS
from proforma.clock import new_id
from proforma.db import execute, fetch
from proforma.events.billing_backlog import ControlTotals, ItemsClaimed
from proforma.events.invoicing import (
    ClaimCount,
    ClaimDropped,
    DetailsReleased,
    InvoiceDiscarded,
    InvoiceDrafted,
    ReleasedDetail,
)
from proforma.runtime import Runtime
from tests.billing_backlog.scene import (
    AT,
    CONTRACT,
    LINE,
    approve,
    claimed,
    contract,
    entry,
    firm,
    items,
    ready,
    rows,
    run,
    violations,
)  # fmt: skip
from tests.conftest import MakeApi, MakeRuntime
from tests.support.events import DeadLettered, deliver
from tests.support.rows import change


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    found = await make_runtime("billing-backlog")
    await firm(found)
    return found


async def statuses(runtime: Runtime) -> list[str]:
    return [item["billing_status"] for item in await items(runtime)]


def released(claim_id: UUID, *item_ids: UUID) -> DetailsReleased:
    details = [ReleasedDetail(item_id=item_id, claim_id=claim_id) for item_id in item_ids]
    return DetailsReleased(invoice_id=claim_id, contract_id=CONTRACT, by="boss", at=AT, details=details)


async def test_a_claim_takes_what_is_ready_and_tells_all_that_a_detail_shows(runtime: Runtime) -> None:
    await ready(runtime, 1, task="T", description="inside", external_description='out"side\n')
    await approve(runtime, entry(2))
    made = await run(runtime)
    assert made.status == "claimed"
    (chunk,) = await claimed(runtime)
    (item,) = [item for item in await items(runtime) if item["billing_status"] == "on_invoice"]
    assert item["claim_id"] == chunk.claim.id == made.claims[0].id
    (shown,) = chunk.items
    for name, value in shown.model_dump(by_alias=True).items():
        assert value == item[name], name
    assert (chunk.claim.customer.name, chunk.claim.currency, chunk.claim.items) == ("Acme", "EUR", 1)
    assert [line.id for line in chunk.lines] == [LINE]
    assert (chunk.chunk, chunk.chunks) == (1, 1)


async def test_chunks_end_at_500_items_and_lines_are_named_once(runtime: Runtime) -> None:
    others = {new_id(): f"Q{n}" for n in range(7)}
    async with runtime.database.transaction() as session:
        for line_id, project in others.items():
            await execute(
                session,
                "insert into contract_lines select $1, null, contract_id, name, kind, billing_method, $2, tasks,"
                " includes, valid_from, valid_to, billing_start, version, created_at, created_by, updated_at"
                " from contract_lines where id = $3",
                line_id, project, LINE,
            )  # fmt: skip
    for start in range(0, 1001, 500):
        await ready(runtime, *range(start + 1, min(start + 500, 1001) + 1))
    await run(runtime)
    chunks = await claimed(runtime)
    assert [(chunk.chunk, chunk.chunks, len(chunk.items)) for chunk in chunks] == [(1, 3, 500), (2, 3, 500), (3, 3, 1)]
    assert len({item.id for chunk in chunks for item in chunk.items}) == 1001
    named = [line.id for chunk in chunks for line in chunk.lines if line.id != LINE]
    assert sorted(named) == sorted(others)


async def test_chunks_end_before_they_are_too_large_for_kafka(runtime: Runtime) -> None:
    await ready(runtime, *range(1, 401), description="ü" * 2000, external_description="ö" * 2000)
    await run(runtime)
    async with runtime.database.transaction() as session:
        sizes = await fetch(session, "select octet_length(body) as n from outbox where type = $1", ItemsClaimed.TYPE)
    assert len(sizes) > 1
    assert max(row["n"] for row in sizes) <= runtime.settings.limits.chunk_bytes_max
    assert sum(len(chunk.items) for chunk in await claimed(runtime)) == 400


async def test_what_lies_after_the_cut_off_or_in_the_future_stays(runtime: Runtime) -> None:
    for n, day in enumerate((date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 3)), 1):
        await ready(runtime, n, date=day)
    await run(runtime, cut_off=date(2026, 2, 28))
    assert await statuses(runtime) == ["on_invoice", "on_invoice", "ready", "ready"]
    await run(runtime, cut_off=date(2027, 1, 1))
    assert await statuses(runtime) == ["on_invoice", "on_invoice", "on_invoice", "ready"]


async def test_what_lies_outside_of_the_terms_stays(runtime: Runtime, api: MakeApi) -> None:
    for n, day in enumerate((date(2026, 2, 9), date(2026, 2, 10), date(2026, 2, 20), date(2026, 2, 21)), 1):
        await ready(runtime, n, date=day)
    await change(runtime, "update contract_lines set billing_start = '2026-02-10'")
    await change(runtime, "update contracts set end_date = '2026-02-20'")
    listed = (await (await api(runtime)).as_("biller").get("/v1/backlog")).json()["items"]
    assert sorted(one["reasons"][0] for one in listed) == [
        "after_contract_end", "before_billing_start", "schedule_missing", "schedule_missing",
    ]  # fmt: skip
    made = await run(runtime)
    assert made.lines[0].left_out == {"before_billing_start": 1, "after_contract_end": 1}
    assert await statuses(runtime) == ["ready", "on_invoice", "on_invoice", "ready"]


async def test_two_runs_at_once_take_each_item_once(runtime: Runtime) -> None:
    await ready(runtime, *range(1, 101))
    made = await asyncio.gather(*(run(runtime) for _ in range(4)))
    assert sorted(one.status for one in made) == ["claimed", "skipped", "skipped", "skipped"]
    taken = [item.id for chunk in await claimed(runtime) for item in chunk.items]
    assert len(taken) == len(set(taken)) == 100
    assert await violations(runtime) == []


async def test_a_release_matches_item_and_claim(runtime: Runtime) -> None:
    await ready(runtime, 1, 2)
    await run(runtime)
    first = (await claimed(runtime))[0].claim.id
    one, two = [item["id"] for item in await items(runtime)]
    await deliver(runtime, HANDLERS, released(new_id(), one), released(first, one), released(first, one))
    assert sorted(await statuses(runtime)) == ["on_invoice", "ready"]
    await run(runtime)
    # The item is on a second invoice now; the first one's late release must not take it off that.
    await deliver(runtime, HANDLERS, released(first, one))
    assert await statuses(runtime) == ["on_invoice", "on_invoice"]
    await deliver(runtime, HANDLERS, released(first, two))
    assert sorted(await statuses(runtime)) == ["on_invoice", "ready"]


@pytest.mark.parametrize("kind", ["discarded", "dropped"])
async def test_a_claim_is_released_as_a_whole(runtime: Runtime, kind: str) -> None:
    await ready(runtime, 1, 2)
    await run(runtime)
    claim = (await claimed(runtime))[0].claim.id
    event: Any = (
        InvoiceDiscarded(invoice_id=claim, contract_id=CONTRACT, by="b", at=AT, claims=[claim])
        if kind == "discarded"
        else ClaimDropped(invoice_id=claim, contract_id=CONTRACT, claim_id=claim, by="b", at=AT)
    )
    await deliver(runtime, HANDLERS, event, event)
    assert await statuses(runtime) == ["ready", "ready"]
    assert (await rows(runtime, "select status from claims")) == [{"status": "released"}]
    assert await rows(runtime, "select * from waiting where kind = 'claim'") == []


async def test_what_comes_back_to_a_closed_contract_is_canceled(runtime: Runtime) -> None:
    await ready(runtime, 1)
    await run(runtime)
    claim = (await claimed(runtime))[0].claim.id
    async with runtime.database.transaction() as session:
        await execute(session, "update contracts set status = 'closed' where id = $1", CONTRACT)
    (item,) = await items(runtime)
    await deliver(runtime, HANDLERS, released(claim, item["id"]))
    assert await items(runtime) == []
    ledger = await rows(runtime, "select quantity, cause, billing_status from actuals where type <> 'cost' order by id")
    assert [(row["quantity"], row["cause"], row["billing_status"]) for row in ledger] == [
        (Decimal(8), "approve", "canceled"),
        (Decimal(-8), "close", "canceled"),
    ]
    assert await violations(runtime) == []


async def test_a_claim_waits_until_it_is_drafted_and_can_be_sent_again(runtime: Runtime) -> None:
    await ready(runtime, 1)
    await run(runtime)
    claim = (await claimed(runtime))[0].claim.id
    assert [row["id"] for row in await rows(runtime, "select id from waiting where kind = 'claim'")] == [str(claim)]
    async with runtime.database.transaction() as session:
        await ASKS["claim"](session, runtime.context(), str(claim))
    assert [chunk.claim.id for chunk in await claimed(runtime)] == [claim, claim]
    totals = ControlTotals(count=1, quantity=Decimal(8), amount=Decimal(1600), tax=Decimal(0))

    def drafted(items: int) -> InvoiceDrafted:
        counts = [ClaimCount(claim_id=claim, items=items)]
        return InvoiceDrafted(
            invoice_id=claim, contract_id=CONTRACT, run_id=new_id(), currency="EUR",
            invoice_date=date(2026, 3, 2), totals=totals, claims=counts,
        )  # fmt: skip

    with pytest.raises(DeadLettered, match="has 1 items, the draft says 2"):
        await deliver(runtime, HANDLERS, drafted(2))
    await deliver(runtime, HANDLERS, drafted(1))
    assert await rows(runtime, "select status, invoice_id from claims") == [{"status": "drafted", "invoice_id": claim}]
    assert await rows(runtime, "select * from waiting where kind = 'claim'") == []


async def test_claims_of_many_contracts_keep_to_their_own(runtime: Runtime) -> None:
    for n in range(1, 6):
        await contract(runtime, UUID(int=100 + n), {UUID(int=200 + n): f"C{n}"})
        await ready(runtime, n, project=f"C{n}")
    await asyncio.gather(*(run(runtime, UUID(int=100 + n)) for n in range(1, 6)))
    for chunk in await claimed(runtime):
        assert {item.contract_line_id for item in chunk.items} == {chunk.lines[0].id}
        assert chunk.claim.contract_id.int + 100 == chunk.lines[0].id.int
