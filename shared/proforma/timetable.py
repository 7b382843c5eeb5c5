"""Loops that work when something is due: they sleep until then, and a NOTIFY or a minute's end wakes them earlier."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy.exc import DBAPIError

from proforma.runtime import Runtime
from proforma.telemetry import logger

Turn = Callable[[Runtime], Awaitable[datetime | None]]
"""Does what is due now, in transactions of its own; returns when the next thing is due (None: nothing is)."""

NAP_MAX = timedelta(seconds=60)
"""The longest sleep: a clock that was set, or a wake-up that got lost, is noticed within it."""

_PAUSE_S = 1.0

log = logger()


def nap(now: datetime, next_due: datetime | None) -> timedelta:
    """How long to sleep until `next_due`: not at all when it is past, `NAP_MAX` at most."""
    if next_due is None:
        return NAP_MAX
    return min(max(next_due - now, timedelta(0)), NAP_MAX)


async def run_when_due(runtime: Runtime, stop: asyncio.Event, channel: str, turn: Turn) -> None:
    """Takes turns until `stop`; the turn in hand is finished first. A database that is away is waited for."""
    while not stop.is_set():
        try:
            await _listening(runtime, stop, channel, turn)
        except (OSError, TimeoutError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("timetable.interrupted", channel=channel, problem=f"{type(error).__name__}: {error}")
            await _sleep(stop, asyncio.Event(), _PAUSE_S)


async def _listening(runtime: Runtime, stop: asyncio.Event, channel: str, turn: Turn) -> None:
    """Turns for as long as one connection lives.

    It listens before the first turn looks: what is announced between the look and the sleep would otherwise be
    slept over.
    """
    wake = asyncio.Event()
    connection = await runtime.database.connect()
    try:
        await connection.add_listener(channel, lambda *_: wake.set())
        # A connection that ends in the middle of a nap would take the wake-ups with it, unnoticed until the nap's end.
        connection.add_termination_listener(lambda _: wake.set())
        while not stop.is_set() and not connection.is_closed():
            wake.clear()
            next_due = await turn(runtime)
            await _sleep(stop, wake, nap(runtime.clock.now(), next_due).total_seconds())
    finally:
        # terminate, not close: close() would wait for a server that may be the thing that is away.
        connection.terminate()


async def _sleep(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    waits = {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(wake.wait())}
    _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
