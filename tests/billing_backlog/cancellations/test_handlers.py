"""Cancellations as they come by Kafka: before their approval, twice, beside a claim, late; each is answered."""

import asyncio
from uuid import UUID

import pytest

from billing_backlog.cancellations import service
from billing_backlog.cancellations.handlers import on_dropped
from billing_backlog.cancellations.rules import Question
from billing_backlog.claims import service as claims
from billing_backlog.entries import service as entries
from billing_backlog.worker import HANDLERS
from proforma.db import execute, lock_keys
from proforma.events.time_expense import CancellationsRequested
from proforma.runtime import Runtime
from tests.billing_backlog.cancellations.questions import answered, answers, ask, asked, outcomes, request_id
from tests.billing_backlog.scene import (
    CONTRACT,
    PROJECT,
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
from tests.support.events import deliver, record_of
from tests.support.rows import change, locks_awaited, value

STATES = "select entry_id, revision, state, content is null as tombstone from entries order by entry_id"


@pytest.fixture
async def runtime(runtime: Runtime) -> Runtime:
    await firm(runtime)
    return runtime


def question(n: int = 1, revision: int = 1, request: int = 1) -> Question:
    return Question(entry(n).id, revision, request_id(request), PROJECT)


async def cancel(runtime: Runtime, *questions: Question) -> None:
    async with runtime.database.transaction() as session:
        await service.cancel(session, runtime.context(), questions)


async def state(runtime: Runtime) -> tuple[int, str, bool]:
    (row,) = await rows(runtime, STATES)
    return row["revision"], row["state"], row["tombstone"]


async def test_an_answer_names_its_question_and_travels_with_the_contract(runtime: Runtime) -> None:
    await approve(runtime, entry(1), entry(2, project="X"))
    await ask(runtime, asked(1, request=7), asked(2, request=8, project="X"))
    told = {(one.contract_id, one.project): one.entries for one in await answered(runtime)}
    assert set(told) == {(CONTRACT, PROJECT), (None, "X")}
    assert [one.request_id for group in told.values() for one in group] == [request_id(7), request_id(8)]
    assert [one.key() for one in await answered(runtime)] == [str(CONTRACT), "X"]


async def test_work_on_an_invoice_is_refused_with_the_invoice(runtime: Runtime) -> None:
    await ready(runtime, 1)
    await run(runtime)
    invoice = (await claimed(runtime))[0].claim.id
    await change(runtime, "update claims set status = 'drafted', invoice_id = $1", invoice)
    before = await rows(runtime, "select * from actuals order by id")
    await ask(runtime, asked())
    await deliver(runtime, HANDLERS, *confirmation(await claimed(runtime)))
    await ask(runtime, asked(request=2))
    found = [(one.outcome, one.reason, one.invoice_id) for one in await answers(runtime)]
    assert found == [("refused", "on_invoice", invoice), ("refused", "posted", invoice)]
    assert len(await rows(runtime, "select * from actuals")) == len(before) + 2
    assert await state(runtime) == (1, "approved", False)


async def test_a_question_before_its_approval_leaves_a_tombstone(runtime: Runtime) -> None:
    await ask(runtime, asked())
    assert await state(runtime) == (1, "reversed", True)
    await approve(runtime, entry(1))
    assert await rows(runtime, "select * from actuals") == []
    await approve(runtime, entry(1, revision=2, quantity="5"))
    assert await state(runtime) == (2, "approved", False)
    assert [item["quantity"] for item in await items(runtime)] == [5]


async def test_a_question_about_a_later_revision_leaves_one_as_well(runtime: Runtime) -> None:
    await approve(runtime, entry(1))
    await ask(runtime, asked(1, 1), asked(1, 2, request=2))
    assert await outcomes(runtime) == ["reversed", "reversed"]
    await approve(runtime, entry(1, revision=2))
    assert await items(runtime) == []
    assert await state(runtime) == (2, "reversed", True)


async def test_a_later_revision_is_not_cancelled_while_a_lower_one_stands(runtime: Runtime) -> None:
    await approve(runtime, entry(1))
    await ask(runtime, asked(1, 2))
    assert [(one.outcome, one.reason) for one in await answers(runtime)] == [("refused", "wrong_state")]
    assert len(await items(runtime)) == 1


async def test_asked_twice_it_is_answered_twice_and_done_once(runtime: Runtime) -> None:
    await approve(runtime, entry(1))
    await ask(runtime, asked(request=1), asked(request=1), asked(request=2))
    await ask(runtime, asked(request=1))
    assert [one.request_id for one in await answers(runtime)] == [request_id(n) for n in (1, 1, 2, 1)]
    assert set(await outcomes(runtime)) == {"reversed"}
    assert await value(runtime, "select count(*) from actuals") == 4


async def test_asked_again_about_the_first_revision_the_second_stays(runtime: Runtime) -> None:
    await approve(runtime, entry(1))
    await ask(runtime, asked(1, 1))
    await approve(runtime, entry(1, revision=2))
    await ask(runtime, asked(1, 1, request=2))
    assert await outcomes(runtime) == ["reversed", "reversed"]
    assert [item["entry_revision"] for item in await items(runtime)] == [2]
    assert await state(runtime) == (2, "approved", False)
    assert await violations(runtime) == []


async def test_two_workers_with_the_same_questions_reverse_once(runtime: Runtime) -> None:
    await approve(runtime, *(entry(n) for n in range(1, 21)))
    forth, back = [question(n) for n in range(1, 21)], [question(n) for n in range(20, 0, -1)]
    await asyncio.gather(cancel(runtime, *forth), cancel(runtime, *back), cancel(runtime, *forth))
    assert await outcomes(runtime) == ["reversed"] * 60
    assert await value(runtime, "select count(*) from actuals") == 80
    assert await violations(runtime) == []


async def test_a_claim_that_holds_the_contract_is_seen(runtime: Runtime) -> None:
    await ready(runtime, 1)
    async with runtime.database.transaction() as session:
        await execute(session, "select from contracts where id = $1 for update", CONTRACT)
        waiting = asyncio.create_task(cancel(runtime, question()))
        await locks_awaited(runtime)
        request = claims.ClaimRequest(
            UUID(int=70),
            UUID(int=71),
            "manual",
            entry().date,
            CONTRACT,
            {(await items(runtime))[0]["contract_line_id"]: entry().date},
        )
        await claims.claim(session, runtime.context(), [request])
    await waiting
    assert await outcomes(runtime) == ["refused"]
    assert [item["billing_status"] for item in await items(runtime)] == ["on_invoice"]
    assert await violations(runtime) == []


async def test_it_waits_for_whoever_changes_the_lines_of_its_project(runtime: Runtime) -> None:
    await approve(runtime, entry(1))
    async with runtime.database.transaction() as session:
        await lock_keys(session, "project", [PROJECT])
        waiting = asyncio.create_task(cancel(runtime, question()))
        await locks_awaited(runtime)
    await waiting
    assert await outcomes(runtime) == ["reversed"]


async def test_a_claim_behind_a_cancellation_finds_nothing(runtime: Runtime) -> None:
    await ready(runtime, 1)
    async with runtime.database.transaction() as session:
        await service.cancel(session, runtime.context(), [question()])
        waiting = asyncio.create_task(run(runtime))
        await locks_awaited(runtime)
    assert (await waiting).status == "skipped"
    assert await violations(runtime) == []


async def test_an_approval_behind_its_cancellation_does_nothing(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        await service.cancel(session, runtime.context(), [question()])
        waiting = asyncio.create_task(approve(runtime, entry(1)))
        await locks_awaited(runtime)
    await waiting
    assert await items(runtime) == []


async def test_a_cancellation_behind_its_approval_takes_it_back(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        await entries.approve(session, runtime.context(), [entry(1)])
        waiting = asyncio.create_task(cancel(runtime, question()))
        await locks_awaited(runtime)
    await waiting
    assert await items(runtime) == []
    assert await state(runtime) == (1, "reversed", False)
    assert await violations(runtime) == []


async def test_a_question_that_is_given_up_is_answered_truly(runtime: Runtime) -> None:
    await approve(runtime, entry(1), entry(2))
    await ask(runtime, asked(2))
    dropped = CancellationsRequested(entries=[asked(1, request=5), asked(2, request=6), asked(3, request=7)])
    async with runtime.database.transaction() as session:
        await on_dropped(session, runtime.context(), record_of(dropped))
    told = {one.request_id: (one.outcome, one.reason) for one in await answers(runtime)}
    assert told[request_id(5)] == told[request_id(7)] == ("refused", "wrong_state")
    assert told[request_id(6)] == ("reversed", None)
    assert len(await items(runtime)) == 1


async def test_many_answers_are_told_500_at_a_time(runtime: Runtime) -> None:
    questions = [asked(n, request=n) for n in range(1, 502)]
    await deliver(
        runtime,
        HANDLERS,
        CancellationsRequested(entries=questions[:500]),
        CancellationsRequested(entries=questions[500:]),
    )
    assert [len(one.entries) for one in await answered(runtime)] == [500, 1]
