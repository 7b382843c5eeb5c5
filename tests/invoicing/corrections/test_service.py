"""Corrections under way at once, and large ones."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.claims import service as claims
from invoicing.confirmation import service as confirmation
from invoicing.corrections import service
from invoicing.editing import service as editing
from invoicing.invoices.tables import Invoice
from proforma.db import execute
from proforma.errors import Conflict, Problem
from tests.invoicing.claimed import Desk
from tests.support.rows import locks_awaited

Work = Callable[[AsyncSession], Awaitable[Any]]

CLEAN = """
select d.original_detail_id from invoice_details d join invoices i on i.id = d.invoice_id
where d.original_detail_id is not null and i.status <> 'discarded' group by 1 having count(*) > 1
"""


async def run(desk: Desk, work: Work) -> Any:
    async with desk.runtime.database.transaction() as session:
        return await work(session)


async def behind(desk: Desk, lock: Any, *work: Work) -> list[Any]:
    """Starts every work while the rows of an invoice are locked by somebody else, so that all of them wait for it."""
    async with desk.runtime.database.transaction() as session:
        await execute(session, "select 1 from invoices where id = $1 for update", UUID(str(lock)))
        tasks = [asyncio.create_task(run(desk, one)) for one in work]
        await locks_awaited(desk.runtime, sessions=len(tasks))
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def correct(desk: Desk, invoice_id: Any, ids: list[UUID] | None = None) -> Work:
    context, one = desk.runtime.context("manager"), UUID(str(invoice_id))
    return lambda session: service.correct(session, context, one, None, ids, None)


def confirm(desk: Desk, shown: dict[str, Any]) -> Work:
    context = desk.runtime.context("manager")
    return lambda session: confirmation.confirm(session, context, UUID(shown["id"]), shown["version"])


def discard(desk: Desk, shown: dict[str, Any]) -> Work:
    return lambda session: claims.discard(session, desk.runtime.context("biller"), UUID(shown["id"]), None, None)


def edit(desk: Desk, shown: dict[str, Any], detail: str, **given: Any) -> Work:
    context = desk.runtime.context("biller")
    return lambda session: editing.edit_one(session, context, UUID(shown["id"]), UUID(detail), None, given)


def won_and_lost(ended: list[Any]) -> tuple[list[Any], list[Problem]]:
    return [one for one in ended if not isinstance(one, Exception)], [one for one in ended if isinstance(one, Problem)]


async def test_of_two_corrects_at_once_one_wins(desk: Desk) -> None:
    original = await desk.billed(3)
    won, lost = won_and_lost(await behind(desk, original["id"], *[correct(desk, original["id"])] * 2))
    ((made,), (refused,)) = won, lost
    assert isinstance(made, Invoice)
    assert isinstance(refused, Conflict)
    assert (refused.reason, refused.extra["corrective_id"]) == ("on_corrective", str(made.id))
    assert await desk.sql(CLEAN) == []
    assert len(await desk.sql("select 1 from invoices where kind = 'corrective'")) == 1


async def test_two_correctives_of_one_detail_are_refused_by_the_index_itself(desk: Desk) -> None:
    original = await desk.billed(1)
    draft = await desk.corrective(original["id"])
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.sql(
            "insert into invoice_details"
            " select (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid()))).* from invoice_details d"
            " where invoice_id = $1",
            UUID(draft["id"]),
        )


async def test_correct_and_confirm_of_another_corrective_at_once(desk: Desk) -> None:
    original = await desk.billed(2)
    one, two = (UUID(detail["id"]) for detail in await desk.details(original["id"]))
    draft = await desk.corrective(original["id"], detail_ids=[str(one)])
    ended = await asyncio.gather(
        run(desk, confirm(desk, draft)), run(desk, correct(desk, original["id"], [two])), return_exceptions=True
    )
    assert won_and_lost(list(ended))[1] == []
    # The same detail, though, is not to be had: it is on the other one, or that one has replaced it.
    again = await asyncio.gather(run(desk, correct(desk, original["id"], [one])), return_exceptions=True)
    (refused,) = won_and_lost(list(again))[1]
    assert isinstance(refused, Conflict)
    assert await desk.sql(CLEAN) == []


async def test_confirm_and_correct_of_the_same_detail_at_once(desk: Desk) -> None:
    original = await desk.billed(2)
    draft = await desk.corrective(original["id"])
    kept, _ = await desk.details(draft["id"])
    await desk.edited(draft["id"], kept["id"], quantity="8")
    shown = await desk.show(draft["id"])
    ended = await asyncio.gather(
        run(desk, confirm(desk, shown)), run(desk, correct(desk, original["id"])), return_exceptions=True
    )
    # The confirm lets go of what it leaves as it was: a correct behind it has that, one before it has nothing.
    assert not isinstance(ended[0], BaseException)
    if isinstance(ended[1], Invoice):
        assert ended[1].details == 1
    else:
        assert isinstance(ended[1], Conflict)
    assert await desk.sql(CLEAN) == []


async def test_discard_and_correct_at_once(desk: Desk) -> None:
    original = await desk.billed(2)
    draft = await desk.corrective(original["id"])
    ended: Any = await asyncio.gather(
        run(desk, discard(desk, draft)), run(desk, correct(desk, original["id"])), return_exceptions=True
    )
    discarding, correcting = ended
    assert not isinstance(discarding, BaseException)
    if isinstance(correcting, BaseException):
        assert isinstance(correcting, Conflict)
        assert correcting.reason == "on_corrective"
        assert (await desk.corrective(original["id"]))["details"] == 2
    else:
        assert correcting.details == 2
    assert await desk.sql(CLEAN) == []


async def test_edit_and_confirm_at_once(desk: Desk) -> None:
    shown = await desk.draft(2)
    (one, _) = await desk.details(shown["id"])
    work = [edit(desk, shown, one["id"], quantity=Decimal("4.00")), confirm(desk, shown)]
    edited, confirmed = await behind(desk, shown["id"], *work)
    after = await desk.show(shown["id"])
    if isinstance(edited, Conflict):
        # The invoice was confirmed as it was reviewed.
        assert (after["status"], after["total"]) == ("confirmed", "3200.00")
    else:
        assert isinstance(confirmed, Problem)
        assert (confirmed.name, after["status"], after["total"]) == ("stale", "draft", "2400.00")


async def test_void_twice_at_once_with_the_same_key(desk: Desk) -> None:
    original = await desk.billed(2)
    headers = {"If-Match": "*", "Idempotency-Key": "once"}
    path = f"/v1/invoices/{original['id']}/void"
    first, second = await asyncio.gather(*(desk.manager.post(path, headers=headers) for _ in range(2)))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert await numbers(desk) == ["PF-2026-000001", "PF-2026-000002"]


async def test_void_twice_at_once_without_a_key(desk: Desk) -> None:
    original = await desk.billed(2)
    both: list[Coroutine[Any, Any, Any]] = [desk.act("void", original["id"]) for _ in range(2)]
    answers = await asyncio.gather(*both)
    assert sorted(one.status_code for one in answers) == [201, 409]
    assert await numbers(desk) == ["PF-2026-000001", "PF-2026-000002"]
    assert await desk.sql(CLEAN) == []


async def numbers(desk: Desk) -> list[str]:
    return [row["number"] for row in await desk.sql("select number from invoices where number is not null order by 1")]


async def test_a_void_that_fails_leaves_nothing(desk: Desk) -> None:
    original = await desk.billed(2)

    async def fail(session: AsyncSession) -> None:
        await service.void(session, desk.runtime.context("manager"), UUID(original["id"]), None, None)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run(desk, fail)
    assert await numbers(desk) == ["PF-2026-000001"]
    assert len(await desk.sql("select 1 from invoices")) == 1
    assert (await desk.act("void", original["id"])).status_code == 201


async def test_a_large_invoice_is_corrected_in_one(desk: Desk) -> None:
    original = await desk.billed(1_201)
    draft = await desk.corrective(original["id"])
    assert (draft["details"], draft["total"]) == (1_201, "-1921600.00")
    before, now = await desk.details(original["id"]), await desk.details(draft["id"])
    assert [one["original_detail_id"] for one in now] == [one["id"] for one in before]
    assert (await desk.confirm(draft)).status_code == 200
    told = [body for body in await desk.said("invoice.confirmed") if body["kind"] == "corrective"]
    assert [(body["chunk"], body["chunks"], len(body["details"])) for body in told] == [
        (1, 3, 500), (2, 3, 500), (3, 3, 201),
    ]  # fmt: skip
