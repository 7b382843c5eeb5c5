"""Gauges over a service's big tables: taken by one worker of all, seldom, and for a small part of the time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import Database

_EVERY_S = 60.0
_SHARE = 50


@dataclass(frozen=True, slots=True)
class Sums:
    """`take` reads what `gauges` show, in one statement, and sets them."""

    gauges: Sequence[Gauge]
    take: Callable[[AsyncSession], Awaitable[None]]


class SumsTaker:
    """Takes sums once a minute, and never for more than a fiftieth of the time, however long the statement takes.

    With 1,000,000 open items one reading took a second on a busy two-core machine: a sixtieth of one core. Taken
    by every worker every 15 seconds it would be a fifteenth for each of them. Whoever leads no more shows nothing:
    what it has would only grow old.
    """

    def __init__(self, database: Database, sums: Sequence[Sums]) -> None:
        self._database = database
        self._sums = sums
        self._next_at = 0.0

    async def take(self, *, leading: bool) -> None:
        """Takes them if it is time, or lets go of them."""
        if not self._sums:
            return
        if not leading:
            self._next_at = 0.0
            for one in self._sums:
                for gauge in one.gauges:
                    gauge.clear()
            return
        now = asyncio.get_running_loop().time()
        if now < self._next_at:
            return
        for one in self._sums:
            async with self._database.transaction() as session:
                await one.take(session)
        ended = asyncio.get_running_loop().time()
        self._next_at = ended + max(_EVERY_S, _SHARE * (ended - now))
