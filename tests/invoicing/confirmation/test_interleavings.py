"""A confirm and another change of the same draft at the same moment (design §5.7): the manager confirms what was seen,
or hears that it has changed. Each pair is played in both orders, by people who have seen the same version."""

import asyncio
from typing import Any

import pytest

from proforma.db import execute
from tests.invoicing.claimed import Claiming, Desk, claiming, item
from tests.support.rows import locks_awaited

VERBS = ("edit a detail", "edit many", "remove a detail", "remove many", "add by hand", "edit dates", "discard", "drop")


async def calls(desk: Desk, verb: str, draft: dict[str, Any]) -> Any:
    """The verb, by somebody who has seen the draft as it is."""
    path, seen = f"/v1/invoices/{draft['id']}", {"If-Match": f'"{draft["version"]}"'}
    (one, *_) = await desk.details(draft["id"])
    hand = {
        "class": "time", "contract_line_id": one["contract_line_id"], "date": "2026-03-01", "quantity": "1",
        "price": "1",
    }  # fmt: skip
    ways: dict[str, tuple[str, str, Any]] = {
        "edit a detail": ("PATCH", f"{path}/details/{one['id']}", {"quantity": "4"}),
        "edit many": ("POST", f"{path}/details/update", {"filter": {}, "quantity": "4"}),
        "remove a detail": ("DELETE", f"{path}/details/{one['id']}", None),
        "remove many": ("POST", f"{path}/details/remove", {"ids": [one["id"]]}),
        "add by hand": ("POST", f"{path}/details", hand),
        "edit dates": ("PATCH", path, {"invoice_date": "2026-03-01"}),
        "discard": ("POST", f"{path}/discard", None),
        "drop": ("POST", f"{path}/claims/{one['claim_id']}/drop", None),
    }
    method, where, body = ways[verb]
    return desk.biller.request(method, where, json=body, headers=seen)


@pytest.mark.parametrize("first", ["confirm", "other"])
@pytest.mark.parametrize("verb", VERBS)
async def test_of_a_confirm_and_another_change_one_is_stale(desk: Desk, verb: str, first: str) -> None:
    draft = await desk.draft(2)
    before = await desk.details(draft["id"])
    other = await calls(desk, verb, draft)
    mine = [desk.confirm(draft), other]
    async with desk.runtime.database.transaction() as session:
        await execute(session, "select from invoices for update")
        one = asyncio.create_task(mine[0 if first == "confirm" else 1])
        await locks_awaited(desk.runtime)
        two = asyncio.create_task(mine[1 if first == "confirm" else 0])
        await locks_awaited(desk.runtime, 2)
    won, lost = await asyncio.gather(one, two)
    assert won.status_code < 300, won.text
    assert lost.status_code in (409, 412), lost.text
    after, details = await desk.show(draft["id"]), await desk.details(draft["id"])
    told = {kind: await desk.said(kind) for kind in ("invoice.confirmed", "details.released", "invoice.discarded")}
    if first == "confirm":
        assert (after["status"], after["total"], details) == ("confirmed", draft["total"], before)
        assert [len(bodies) for bodies in told.values()] == [1, 0, 0]
        assert await desk.said("invoice.claim-dropped") == []
    else:
        assert (after["number"], told["invoice.confirmed"]) == (None, [])
        assert after["version"] == draft["version"] + 1


async def test_a_claim_that_comes_while_its_run_s_draft_is_confirmed_opens_another(desk: Desk) -> None:
    """A refresh and a confirm at once: the new item is on a draft of its own, the confirmed invoice is as reviewed."""
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    draft, late = await desk.show(claim.id), claim.again()
    late.with_items(item(late.lines[0]))
    async with desk.runtime.database.transaction() as session:
        await execute(session, "select from invoices for update")
        confirming = asyncio.create_task(desk.confirm(draft))
        await locks_awaited(desk.runtime)
        claiming_more = asyncio.create_task(desk.deliver(*late.chunks()))
        await locks_awaited(desk.runtime, 2)
    assert (await confirming).status_code == 200
    await claiming_more
    assert (await desk.show(claim.id))["details"] == 1
    opened = await desk.show(late.id)
    assert (opened["status"], opened["details"], opened["run_id"]) == ("draft", 1, draft["run_id"])


async def test_a_claim_that_comes_first_makes_the_review_stale(desk: Desk) -> None:
    """The other way round: the draft has grown, and the confirm of the version before is refused."""
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    draft, late = await desk.show(claim.id), claim.again()
    late.with_items(item(late.lines[0]))
    async with desk.runtime.database.transaction() as session:
        await execute(session, "select from invoices for update")
        claiming_more = asyncio.create_task(desk.deliver(*late.chunks()))
        await locks_awaited(desk.runtime)
        confirming = asyncio.create_task(desk.confirm(draft))
        await locks_awaited(desk.runtime, 2)
    await claiming_more
    assert (await confirming).status_code == 412
    assert (await desk.show(claim.id))["details"] == 2


async def test_a_chunk_that_comes_while_its_draft_is_discarded_does_nothing(desk: Desk) -> None:
    claim = Claiming()
    first, second = claim.with_items(item(claim.lines[0]), item(claim.lines[0])).chunks(1)
    await desk.deliver(first)
    async with desk.runtime.database.transaction() as session:
        await execute(session, "select from invoices for update")
        discarding = asyncio.create_task(desk.act("discard", claim.id))
        await locks_awaited(desk.runtime)
        arriving = asyncio.create_task(desk.deliver(second))
        await locks_awaited(desk.runtime, 2)
    assert (await discarding).status_code == 200
    await arriving
    after = await desk.show(claim.id)
    assert (after["status"], after["details"], after["total"]) == ("discarded", 1, "1600.00"), "the record stays"
    (told,) = await desk.said("invoice.discarded")
    assert told["claims"] == [str(claim.id)]
