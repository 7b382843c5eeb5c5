"""The loops: triggers that came before their day run on it, schedules by frequency are extended every day, and runs
that failed are counted."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from billing_backlog.generation import service as generation
from billing_backlog.run_claims import service as runs
from billing_backlog.triggers import service
from billing_backlog.triggers.rules import Due, distinct
from proforma.failures import is_deterministic
from proforma.runtime import Runtime
from proforma.telemetry import logger
from proforma.timetable import run_when_due

_MEASURE_S = 15.0

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
    """Each contract and date alone: one that cannot even be written down as failed is tried again in an hour."""
    for _, group in groupby(distinct(due), key=lambda one: (one.run_date, one.contract_id)):
        mine = list(group)
        try:
            await _run(runtime, mine)
        except Exception as error:
            if not is_deterministic(error):
                raise
            log.error("triggers.put_off", contract_id=str(mine[0].contract_id), reason=str(error)[:500])
            async with runtime.database.transaction() as session:
                await service.put_off(session, runtime.context(), mine)


async def extend_schedules(runtime: Runtime, stop: asyncio.Event) -> None:
    """Until `stop`. Any number of processes may run it: what one has extended is not due for the other."""
    await run_when_due(runtime, stop, generation.CHANNEL, extension_turn)


async def extension_turn(runtime: Runtime) -> datetime | None:
    """Extends a batch of schedules whose day has begun; returns when to look again."""
    context = runtime.context()
    async with runtime.database.transaction() as session:
        due = await generation.extension_due(session, context)
        if not due:
            return await generation.next_due(session)
    try:
        await _extend(runtime, due)
    except Exception as error:
        if not is_deterministic(error):
            raise
        await _extend_one_by_one(runtime, due)
    return context.clock.now()


async def _extend(runtime: Runtime, due: Mapping[UUID, Collection[UUID]]) -> None:
    async with runtime.database.transaction() as session:
        await generation.extend(session, runtime.context(), due)


async def _extend_one_by_one(runtime: Runtime, due: Mapping[UUID, Collection[UUID]]) -> None:
    """Each contract alone: what is wrong with one is tried again the next day, and holds up no other."""
    for contract_id, schedule_ids in due.items():
        try:
            await _extend(runtime, {contract_id: schedule_ids})
        except Exception as error:
            if not is_deterministic(error):
                raise
            log.error("schedules.not_extended", contract_id=str(contract_id), reason=str(error)[:500])
            async with runtime.database.transaction() as session:
                await generation.put_off(session, runtime.context(), schedule_ids)


async def measure_regularly(runtime: Runtime, stop: asyncio.Event) -> None:
    """Sets the gauge of failed runs every 15 seconds until `stop`."""
    while not stop.is_set():
        try:
            async with runtime.database.transaction() as session:
                await runs.measure(session)
        except Exception as error:
            if is_deterministic(error):
                raise
            log.warning("runs.not_measured", problem=f"{type(error).__name__}: {error}")
        try:
            async with asyncio.timeout(_MEASURE_S):
                await stop.wait()
        except TimeoutError:
            continue
