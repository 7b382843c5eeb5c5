"""A worker's end in bounded time: what does not finish by itself is cut off, and rolled back."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from proforma.telemetry import logger

FINISH_S = 5.0
HANG_UP_S = 2.0

log = logger()


async def end_in_time(
    work: Coroutine[Any, Any, None], stop: asyncio.Event, finish_s: float = FINISH_S, hang_up_s: float = HANG_UP_S
) -> None:
    """Runs `work` until it returns, which it does soon after `stop`; raises what it raises.

    A broker that is frozen, or a row that somebody keeps locked, would hold it for longer than the ten seconds that
    containers get before they are killed. So it is canceled `finish_s` after `stop`, and left behind when even its
    good-byes have taken `hang_up_s`: the loop that ends next cancels whatever still runs. What is canceled is a
    transaction that rolls back, or messages whose rows stay in the outbox: the next worker does them.
    """
    task = asyncio.create_task(work)
    try:
        await _first(task, stop)
        for patience in (finish_s, hang_up_s):
            if (await asyncio.wait({task}, timeout=patience))[0]:
                break
            log.warning("worker.cut_off", after_s=patience)
            # A task group hands a first cancel on to its tasks; a second one it swallows.
            task.cancel()
    finally:
        # Not when it is over; when the process ends for another reason than `stop`.
        task.cancel()
    if task.done() and not task.cancelled():
        task.result()


async def _first(task: "asyncio.Task[None]", stop: asyncio.Event) -> None:
    """Waits for the task's end or for `stop`."""
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
