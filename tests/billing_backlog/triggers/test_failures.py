"""Triggers that cannot run: set aside alone, and answered for when they are given up."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.runs.service import RunLine, RunOutcome, run_all_scheduled
from billing_backlog.triggers import service
from billing_backlog.triggers.rules import Due
from billing_backlog.worker import HANDLERS
from proforma.context import Context
from proforma.dead_letters import drop
from proforma.envelope import Message
from proforma.errors import BrokenRule
from proforma.events.scheduler import RunDue
from proforma.handlers import Handler, Handlers
from proforma.runtime import Runtime
from tests.billing_backlog.scene import contract, firm, rows
from tests.billing_backlog.triggers.calendars import TODAY, come, due, schedule, statuses
from tests.support.events import DeadLettered, deliver, record_of

OTHER_LINE, OTHER_CONTRACT = UUID(int=13), UUID(int=12)


@pytest.fixture(autouse=True)
async def _firm(runtime: Runtime) -> None:
    await firm(runtime)


async def refusing(
    session: AsyncSession, context: Context, run_date: date, lines: Mapping[UUID, Sequence[RunLine]]
) -> Mapping[UUID, RunOutcome]:
    """Runs every contract but one."""
    if OTHER_CONTRACT in lines:
        raise BrokenRule("this contract cannot be run")
    return await run_all_scheduled(session, context, run_date, lines)


async def _run_refusing(session: AsyncSession, context: Context, messages: Sequence[Message[RunDue]]) -> None:
    triggers = [Due(one.body.contract_id, one.body.contract_line_id, one.body.run_date) for one in messages]
    await service.run_due(session, context, triggers, refusing)


async def test_a_failure_in_one_contract_does_not_stop_another(runtime: Runtime) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, TODAY)
    await schedule(runtime, TODAY, line=OTHER_LINE, contract=OTHER_CONTRACT)
    bad = due(line=OTHER_LINE, contract=OTHER_CONTRACT)
    with pytest.raises(DeadLettered, match="cannot be run"):
        await deliver(runtime, Handlers(Handler(RunDue, _run_refusing)), bad, due())
    assert await statuses(runtime) == {TODAY: "skipped"}
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "not_run"}


@pytest.mark.parametrize("ran_meanwhile", [False, True])
async def test_a_trigger_that_is_given_up_leaves_its_row_failed_unless_it_ran(
    runtime: Runtime, ran_meanwhile: bool
) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, TODAY, line=OTHER_LINE, contract=OTHER_CONTRACT)
    bad = due(line=OTHER_LINE, contract=OTHER_CONTRACT)
    with pytest.raises(DeadLettered):
        await deliver(runtime, Handlers(Handler(RunDue, _run_refusing)), bad)
    if ran_meanwhile:
        await come(runtime, bad)
    (letter,) = await rows(runtime, "select id from dead_letters")
    await _drop(runtime, letter["id"])
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "skipped" if ran_meanwhile else "failed"}
    await come(runtime, bad)
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "skipped" if ran_meanwhile else "failed"}


async def test_an_unreadable_trigger_can_be_given_up(runtime: Runtime) -> None:
    with pytest.raises(DeadLettered):
        await deliver(runtime, HANDLERS, replace(record_of(due()), value=b"{"))
    (letter,) = await rows(runtime, "select id from dead_letters")
    await _drop(runtime, letter["id"])
    assert (await rows(runtime, "select status from dead_letters"))[0]["status"] == "dropped"


async def _drop(runtime: Runtime, letter_id: UUID) -> None:
    async with runtime.database.transaction() as session:
        await drop(session, runtime.context("admin"), HANDLERS, letter_id, "will not run")
