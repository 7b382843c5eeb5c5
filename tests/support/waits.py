"""Waiting for what happens elsewhere: until it is there, never for a time that should be enough."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


async def eventually(condition: Callable[[], Awaitable[T]], limit_s: float = 20) -> T:
    """The first true value of `condition`, asked again and again; fails after `limit_s`."""
    end = time.monotonic() + limit_s
    while not (value := await condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s; the last value was {value!r}")
        await asyncio.sleep(0.03)
    return value


class Runs(Protocol):
    """A worker, a relay, a consumer: runs until told to stop."""

    async def run(self, stop: asyncio.Event) -> None: ...


@asynccontextmanager
async def running(work: Runs, patience_s: float = 20) -> AsyncIterator[asyncio.Event]:
    """Runs `work` in this process while the block lasts; its failure fails the block's test."""
    stop = asyncio.Event()
    task = asyncio.create_task(work.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(patience_s):
            await task
