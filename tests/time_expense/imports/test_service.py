"""Imports that are killed, race, or run beside others: each row takes effect once; and what is left of an upload."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.clock import SetClock
from proforma.context import Context, Principal
from proforma.db import driver, fetch_value
from proforma.jobs import Job, JobRunner, Step
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.rows import locks_awaited
from tests.support.statements import written_down
from tests.time_expense.imports.files import (
    csv_of,
    entries_of,
    imported,
    job_of,
    numbered,
    problems_of,
    send,
    told,
)
from tests.time_expense.work import ANY, ENTRIES, body, finish, pm
from time_expense import worker
from time_expense.approvals import service as approvals
from time_expense.approvals.rules import Verb
from time_expense.imports import service
from time_expense.imports.handlers import Import
from time_expense.imports.rules import Row
from time_expense.imports.schemas import row_of


@pytest.fixture
async def client(api: MakeApi) -> Api:
    """Steps are short here: three rows."""
    return await api("time-expense", limits={"job_step_max": 3})


SUBMIT_AND_APPROVE: tuple[tuple[str, Verb], ...] = (("ada", "submit"), ("pm", "approve"))


class Killed(Import):
    """The job of a worker that is killed in some steps: before or after their work, always before their commit."""

    def __init__(self) -> None:
        self.steps = 0

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        self.steps += 1
        if self.steps % 3 == 1:
            raise ConnectionResetError("killed before its work")
        done = await super().step(session, context, job)
        if self.steps % 3 == 2:
            raise ConnectionResetError("killed before its commit")
        return done


async def test_an_import_whose_worker_is_killed_again_and_again_applies_each_row_once(
    client: Api, clock: SetClock
) -> None:
    upload = csv_of(*numbered(20, description='"" , \n'), {"external_id": "", "task": "bad"})
    answer = await send(client, upload, "approved")
    kind = Killed()
    for _ in range(50):
        clock.advance(timedelta(minutes=1))
        runner = JobRunner(client.runtime.database, client.runtime.context(), [kind])
        try:
            if not await runner.run_next(asyncio.Event()):
                break
        except ConnectionResetError:
            continue
    job = await job_of(client, answer.json()["id"])
    assert (job["status"], job["done"], job["total"], job["refused"]) == ("succeeded", 21, 21, 1)
    assert job["result"] == {"created": 20, "updated": 0, "unchanged": 0}
    assert await told(client) == Counter(f"te-{n}" for n in range(20))
    assert kind.steps > 15
    assert [line for line, _, _ in await problems_of(client, job)] == [42]


async def test_two_imports_of_the_same_rows_at_once_make_each_entry_once(client: Api) -> None:
    upload = csv_of(*numbered(30))
    backwards = csv_of(*numbered(30)[::-1])
    for one in (upload, backwards):
        await send(client, one, "approved")
    runners = [JobRunner(client.runtime.database, client.runtime.context(), [Import()]) for _ in range(2)]

    async def work(runner: JobRunner) -> None:
        stop = asyncio.Event()
        while await runner.run_next(stop):
            pass

    await asyncio.gather(*(work(runner) for runner in runners))
    results = [entry["status"] for entry in (await entries_of(client)).values()]
    assert results == ["approved"] * 30
    assert await told(client) == Counter(f"te-{n}" for n in range(30))


async def apply_beside(client: Api, row: Row, first: Callable[[AsyncSession], Awaitable[object]]) -> service.Applied:
    """Applies a row while another transaction that has done `first` is still open; it commits when the row waits."""

    async def apply() -> service.Applied:
        async with client.runtime.database.transaction() as session:
            return await service.apply(session, as_pm(client), "approved", [row])

    async with client.runtime.database.transaction() as session:
        await first(session)
        applying = asyncio.create_task(apply())
        await locks_awaited(client.runtime)
    return await applying


def as_pm(client: Api) -> Context:
    return replace(client.runtime.context("pm"), principal=Principal("pm", frozenset({"approver"})))


def row_with(**fields: Any) -> Row:
    sent = body(external_id="te-1", **fields)
    return row_of(2, list(sent), list(sent.values()))


async def test_what_is_created_while_an_import_looks_is_not_made_twice(client: Api) -> None:
    applied = await apply_beside(
        client, row_with(), lambda session: service.apply(session, as_pm(client), "approved", [row_with()])
    )
    assert (applied.created, applied.unchanged) == (0, 1)
    assert await told(client) == Counter({"te-1": 1})


async def test_what_is_approved_while_an_import_looks_is_not_changed(client: Api) -> None:
    await imported(client, csv_of({"external_id": "te-1"}), "submitted", who=client.as_("service"))
    [entry] = (await entries_of(client)).values()
    await client.as_("admin").post(f"{ENTRIES}/{entry['id']}/recall", headers=ANY)

    async def submit_and_approve(session: AsyncSession) -> None:
        for name, verb in SUBMIT_AND_APPROVE:
            who = replace(as_pm(client), actor=name, principal=Principal(name, frozenset({"admin"})))
            await approvals.move_one(session, who, approvals.Action(verb), UUID(entry["id"]), None)

    applied = await apply_beside(client, row_with(quantity="6.00"), submit_and_approve)
    assert [problem.reason for problem in applied.problems] == ["wrong_state"]
    assert await told(client) == Counter({"te-1": 1})
    assert (await entries_of(client))["te-1"]["quantity"] == "8.00"


async def test_a_thousand_rows_take_a_handful_of_statements(api: MakeApi) -> None:
    client = await api("time-expense")
    await imported(client, csv_of(*numbered(500)))
    statements: list[str] = []

    class Counting(Import):
        async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
            connection = await driver(session)
            with written_down(connection, statements):
                return await super().step(session, context, job)

    answer = await send(client, csv_of(*numbered(999, quantity="7.00")), "approved")
    runner = JobRunner(client.runtime.database, client.runtime.context(), [Counting()])
    await runner.run_next(asyncio.Event())
    job = await job_of(client, answer.json()["id"])
    assert job["result"] == {"created": 499, "updated": 500, "unchanged": 0}
    assert len(statements) <= 8, statements


@pytest.mark.parametrize("end", ["succeeded", "failed", "canceled"])
async def test_uploads_go_when_their_job_is_over_and_not_before(client: Api, end: str) -> None:
    async def pieces() -> int:
        async with client.runtime.database.transaction() as session:
            found: int = await fetch_value(session, "select count(*) from upload_pieces")
            return found

    async def sweep() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(worker.sweep(client.runtime, stop))
        await asyncio.sleep(0)
        stop.set()
        await task

    upload = "wrong\n" if end == "failed" else csv_of(*numbered(4))
    answer = await send(client, upload)
    await sweep()
    assert await pieces() == 1
    if end == "canceled":
        await pm(client).post(f"/v1/jobs/{answer.json()['id']}/cancel")
    await finish(client.runtime)
    assert (await job_of(client, answer.json()["id"]))["status"] == end
    await sweep()
    assert await pieces() == 0
