"""Numbers without gaps, however many confirm at once and however many fail."""

import asyncio
import uuid
from uuid import UUID

import pytest

from invoicing.confirmation import service
from proforma.bodies import BulkResult
from proforma.db import execute
from proforma.errors import Conflict
from tests.invoicing.claimed import Desk, claiming
from tests.invoicing.conftest import MakeDesk
from tests.support.rows import locks_awaited


async def drafts(desk: Desk, count: int) -> list[UUID]:
    claims = [claiming(2) for _ in range(count)]
    await desk.deliver(*(chunk for claim in claims for chunk in claim.chunks()))
    return [claim.id for claim in claims]


async def numbers(desk: Desk) -> list[str]:
    rows = await desk.sql("select number from invoices where status = 'confirmed' order by number")
    return [row["number"] for row in rows]


class Undone(Exception):
    """Ends a transaction that has already confirmed."""


async def confirm(desk: Desk, invoice_id: UUID, *, fail: bool = False, wait: asyncio.Barrier | None = None) -> None:
    async with desk.runtime.database.transaction() as session:
        if wait is not None:
            await wait.wait()
        await service.confirm(session, desk.runtime.context("manager"), invoice_id, 2)
        if fail:
            raise Undone


async def test_twenty_at_once_get_numbers_without_gaps(make_desk: MakeDesk) -> None:
    desk = await make_desk(pool_size=12)
    ids = await drafts(desk, 20)
    together = asyncio.Barrier(20)
    await asyncio.gather(*(confirm(desk, one, wait=together) for one in ids))
    assert await numbers(desk) == [f"PF-2026-{n:06}" for n in range(1, 21)]
    assert len(await desk.said("invoice.confirmed")) == 20
    told = {body["invoice_id"]: body["number"] for body in await desk.said("invoice.confirmed")}
    rows = await desk.sql("select id, number from invoices")
    assert told == {str(row["id"]): row["number"] for row in rows}


async def test_those_that_roll_back_leave_no_gap(make_desk: MakeDesk) -> None:
    desk = await make_desk(pool_size=12)
    ids = await drafts(desk, 20)
    together = asyncio.Barrier(20)
    ended = await asyncio.gather(
        *(confirm(desk, one, fail=n % 3 == 0, wait=together) for n, one in enumerate(ids)), return_exceptions=True
    )
    assert [type(one) for one in ended] == [Undone if n % 3 == 0 else type(None) for n in range(20)]
    assert await numbers(desk) == [f"PF-2026-{n:06}" for n in range(1, 14)]
    assert len(await desk.said("invoice.confirmed")) == 13
    await asyncio.gather(*(confirm(desk, one) for one in ids[::3]))
    assert await numbers(desk) == [f"PF-2026-{n:06}" for n in range(1, 21)]


async def test_two_confirms_of_one_invoice_at_once_give_one_number(desk: Desk) -> None:
    (one,) = await drafts(desk, 1)
    together = asyncio.Barrier(2)
    ended = await asyncio.gather(*(confirm(desk, one, wait=together) for _ in range(2)), return_exceptions=True)
    assert sorted(str(type(end)) for end in ended) == sorted([str(Conflict), str(type(None))])
    assert await numbers(desk) == ["PF-2026-000001"]
    assert len(await desk.said("invoice.confirmed")) == 1


async def test_the_same_invoices_named_in_opposite_orders_do_not_wait_for_each_other(desk: Desk) -> None:
    ids = sorted(await drafts(desk, 5))

    async def bulk(some: list[UUID]) -> BulkResult:
        async with desk.runtime.database.transaction() as session:
            context = desk.runtime.context("manager")
            return await service.confirm_many(session, context, [(one, 2) for one in some])

    # While the third is held, who locks in the order of naming has the first two, or the last two, and wants the rest.
    async with desk.runtime.database.transaction() as session:
        await execute(session, "select 1 from invoices where id = $1 for update", ids[2])
        calls = [asyncio.create_task(bulk(named)) for named in (ids, ids[::-1])]
        await locks_awaited(desk.runtime, sessions=2)
    results = await asyncio.gather(*calls)
    assert sorted((one.changed, one.unchanged) for one in results) == [(0, 5), (5, 0)]
    assert await numbers(desk) == [f"PF-2026-{n:06}" for n in range(1, 6)]
    assert len(await desk.said("invoice.confirmed")) == 5


async def test_a_confirm_and_a_late_claim_at_once_do_not_mix(desk: Desk) -> None:
    claim = claiming(2)
    await desk.deliver(*claim.chunks())
    late = claim.again().with_items(*claiming(1, lines=claim.lines).items)
    confirming = asyncio.gather(confirm(desk, claim.id), return_exceptions=True)
    await asyncio.gather(confirming, desk.deliver(*late.chunks()))
    shown = await desk.show(claim.id)
    # Either the claim came first, and the confirm saw another version, or it opened a draft of its own.
    if shown["status"] == "confirmed":
        assert shown["details"] == 2
        assert (await desk.show(late.id))["details"] == 1
    else:
        assert (shown["status"], shown["details"]) == ("draft", 3)


async def test_totals_that_their_details_do_not_prove_are_never_confirmed(desk: Desk) -> None:
    (one,) = await drafts(desk, 1)
    async with desk.runtime.database.transaction() as session:
        await execute(session, "update invoices set subtotal = subtotal + 1, total = total + 1 where id = $1", one)
    with pytest.raises(RuntimeError, match=str(one)):
        await confirm(desk, one)
    assert await numbers(desk) == []
    assert (await desk.show(one))["status"] == "draft"


async def test_telling_again_says_the_same(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits={"event_list_max": 3})
    claim = claiming(7)
    await desk.deliver(*claim.chunks())
    await confirm(desk, claim.id)
    first = await desk.said("invoice.confirmed")
    asked = await desk.admin.post(f"/v1/waiting/{claim.id}/ask")
    assert asked.status_code == 204
    assert [body["chunk"] for body in first] == [1, 2, 3]
    assert (await desk.said("invoice.confirmed"))[3:] == first
    rows = await desk.sql("select count(distinct event_id) as n from outbox where type like '%confirmed%'")
    assert rows[0]["n"] == 6


async def test_an_unknown_invoice_does_not_wait(desk: Desk) -> None:
    assert (await desk.admin.post(f"/v1/waiting/{uuid.uuid4()}/ask")).status_code == 404


async def test_numbers_from_before_a_restore_are_not_given_again(desk: Desk) -> None:
    one, two = await drafts(desk, 2)
    await confirm(desk, one)
    async with desk.runtime.database.transaction() as session:
        await service.remember_numbers(session, ["PF-2026-000007", "PF-2026-000003", "PF-2025-000002"])
    async with desk.runtime.database.transaction() as session:
        await service.remember_numbers(session, ["PF-2026-000005"])
    await confirm(desk, two)
    assert await numbers(desk) == ["PF-2026-000001", "PF-2026-000008"]
    last = await desk.sql("select year, last from invoice_numbers order by year")
    assert [tuple(row.values()) for row in last] == [(2025, 2), (2026, 8)]
