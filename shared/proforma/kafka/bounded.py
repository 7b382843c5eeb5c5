"""A wait with an end, for what must not be waited for longer."""

import asyncio
from collections.abc import Awaitable

from proforma.kafka.errors import Away

STOP_S = 5


async def bounded(work: Awaitable[object], seconds: int = STOP_S) -> None:
    """Waits for `work` so long and no longer, whatever becomes of it.

    A client's stop() can wait for ever on a broker that is gone (aiokafka 773, 1101).
    """
    try:
        async with asyncio.timeout(seconds):
            await work
    except Away:
        return
