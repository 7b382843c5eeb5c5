"""The loop that runs triggers which came before their day."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from billing_backlog.triggers import service
from billing_backlog.triggers.rules import Due, distinct
from proforma.failures import is_deterministic
from proforma.runtime import Runtime
from proforma.telemetry import logger
from proforma.timetable import run_when_due

log = logger()


async def run_waiting_triggers(runtime: Runtime, stop: asyncio.Event) -> None:
    """Until `stop`. Any number of processes may run it: a row runs once, behind its contract's lock."""
    await run_when_due(runtime, stop, service.CHANNEL, waiting_turn)


async def waiting_turn(runtime: Runtime) -> datetime | None:
    """Runs a batch of what is due; returns when to look again."""
    context = runtime.context()
    async with runtime.database.transaction() as session:
        due = await service.waiting_due(session, context)
        if not due:
            return await service.next_due(session)
    try:
        await _run(runtime, due)
    except Exception as error:
        if not is_deterministic(error):
            raise
        await _one_by_one(runtime, due)
    return context.clock.now()


async def _run(runtime: Runtime, due: Sequence[Due]) -> None:
    async with runtime.database.transaction() as session:
        await service.run_due(session, runtime.context(), due)


async def _one_by_one(runtime: Runtime, due: Sequence[Due]) -> None:
    """Each contract and date alone: what is wrong with one must not hold up the others."""
    for _, group in groupby(distinct(due), key=lambda one: (one.run_date, one.contract_id)):
        mine = list(group)
        try:
            await _run(runtime, mine)
        except Exception as error:
            if not is_deterministic(error):
                raise
            log.error("triggers.blocked", contract_id=str(mine[0].contract_id), reason=str(error)[:500])
            async with runtime.database.transaction() as session:
                await service.block(session, mine, f"{type(error).__name__}: {error}")
