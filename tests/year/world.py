"""A year of days: what people do, what the services do, and what is written into the books of it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from billing_backlog.backlog.service import READY, move
from billing_backlog.loop import extension_turn, waiting_turn
from billing_backlog.schedules.schemas import InvoiceSchedulePatch
from billing_backlog.schedules.service import change_schedule
from proforma.clock import SetClock
from proforma.db import fetch
from proforma.runtime import Runtime
from proforma.timetable import Turn
from scheduler.loop import publish_turn
from tests.billing_backlog import scene
from tests.billing_backlog.masters import Masters
from tests.support.api import Api
from tests.support.rows import value
from tests.year.books import Books, Due
from tests.year.firm import READERS, Firm, Post, due_of, foreign
from tests.year.portfolio import FIRST, PRICE, Contract, Thing

_AT_ONCE = 500
_TRIGGERS = "scheduler.triggers"
_SCHEDULE = "select id from invoice_schedules where contract_line_id = $1 and status = 'active'"


class Year:
    """Day by day. `books` say how it must come out."""

    def __init__(
        self, firm: Firm, api: Api, contracts: Sequence[Contract], clock: SetClock, chance: random.Random
    ) -> None:
        self.firm, self.clock, self.chance = firm, clock, chance
        self.books = Books(contracts)
        self.post = Post(chance)
        self.desk = Masters(api)
        self.foreign: set[Due] = set()
        self.edits = 0
        self._known: dict[int, list[Thing]] = {}
        self._ready: dict[int, list[Thing]] = {}
        for thing in self.books.things.values():
            self._known.setdefault(thing.known, []).append(thing)
            self._ready.setdefault(thing.ready, []).append(thing)
        self._down: dict[str, int] = {}

    async def live(self, days: int) -> None:
        """Every day, at any hour of it; on the last one everything that is under way arrives."""
        for n in range(days):
            at = time(self.chance.randrange(24), self.chance.randrange(60), tzinfo=UTC)
            self.clock.set(max(datetime.combine(FIRST + timedelta(days=n), at), self.clock.now()))
            await self._people(n)
            await self._services(n)
        self.clock.set(datetime.combine(FIRST + timedelta(days=days - 1), time(23, 59), tzinfo=UTC))
        self._down.clear()
        await self._services(days, flush=True)
        while not self.post.empty():
            await self._services(days, flush=True)

    def _works(self, n: int, name: str) -> bool:
        """Some weeks nobody notices for days that a service's workers are down."""
        if self.chance.random() < 0.02:
            self._down[name] = n + self.chance.randint(1, 8)
        return n >= self._down.get(name, 0)

    async def _services(self, n: int, *, flush: bool = False) -> None:
        if self.chance.random() < 0.1:
            await self.firm.restart(self.chance.choice(("billing-backlog", "scheduler", "invoicing")))
        if flush or self._works(n, "billing-backlog"):
            await self._backlog(n, flush=flush)
        if flush or self._works(n, "scheduler"):
            await self._deliver("billing-backlog.contracts", n, flush=flush)
            await self._turns("scheduler", publish_turn)
            await self.post.collect(self.firm.one("scheduler"), n)
        if flush or self._works(n, "invoicing"):
            await self._deliver("billing-backlog.claims", n, flush=flush)
            await self.post.collect(self.firm.one("invoicing"), n)

    async def _backlog(self, n: int, *, flush: bool) -> None:
        await self._turns("billing-backlog", extension_turn)
        await self._turns("billing-backlog", waiting_turn)
        self.books.days_begin(self.clock.now())
        await self._deliver(_TRIGGERS, n, flush=flush)
        await self._deliver("invoicing.invoices", n, flush=flush)
        await self.post.collect(self.firm.one("billing-backlog"), n)

    async def _turns(self, name: str, turn: Turn) -> None:
        """Both processes of a service at once, until nothing is due."""

        async def turns(runtime: Runtime) -> None:
            while (following := await turn(runtime)) is not None and following <= self.clock.now():
                pass

        await asyncio.gather(*(turns(one) for one in self.firm.both(name)))
        # The one that gave way to the other may have seen the rest.
        await turns(self.firm.one(name))

    async def _deliver(self, topic: str, n: int, *, flush: bool) -> None:
        assert topic in READERS
        for batch in self.post.batches(topic, n, flush=flush):
            await self.firm.deliver(topic, batch)
            if topic == _TRIGGERS:
                self.books.come([due_of(record) for record in batch], self.clock.now())

    async def _people(self, n: int) -> None:
        await self._approve([one for one in self._known.get(n, ()) if self._is_work(one)])
        for thing in self._known.get(n, ()):
            self.books.open[thing.line][thing.id] = thing
        await self._release(self._ready.get(n, ()))
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            await self._edit()
        for _ in range(self.chance.choice((0, 0, 1))):
            self._somebody_triggers(n)

    def _is_work(self, thing: Thing) -> bool:
        line = self.books.lines.get(thing.line)
        return line is not None and line.kind != "fixed"

    async def _approve(self, things: Sequence[Thing]) -> None:
        entries = [
            scene.entry(
                id=one.id, date=one.day, project=self.books.lines[one.line].project,
                quantity=str(Decimal(one.amount) / PRICE),
            )
            for one in things
        ]  # fmt: skip
        # As many as a message holds.
        for first in range(0, len(entries), _AT_ONCE):
            await scene.approve(self.firm.one("billing-backlog"), *entries[first : first + _AT_ONCE])

    async def _release(self, things: Sequence[Thing]) -> None:
        runtime = self.firm.one("billing-backlog")
        work = [one.id for one in things if self._is_work(one)]
        for first in range(0, len(work), _AT_ONCE):
            wanted = work[first : first + _AT_ONCE]
            async with runtime.database.transaction() as session:
                found = await fetch(session, "select id from items where entry_id = any($1::uuid[])", wanted)
                done = await move(session, runtime.context("ann"), [row["id"] for row in found], READY)
            assert done.changed == len(wanted)
        for noun, ids in (
            ("milestones", [one.id for one in things if one.line in self.books.lines and one.id not in work]),
            ("product-backlog", [one.id for one in things if one.line not in self.books.lines]),
        ):
            if ids:
                told = await self.desk.mark(noun, *({"id": str(one)} for one in ids))
                assert told["changed"] == len(ids)
        self.books.ready |= {one.id for one in things}

    async def _edit(self) -> None:
        """A row is moved, taken out or added, by hand, whatever the schedule says by itself."""
        line_id = self.chance.choice([one.id for one in self.books.lines.values() if one.kind != "fixed"])
        today = self.books.today(line_id, self.clock.now())
        planned = dict(self.books.planned[line_id])
        ahead = sorted(day for day in planned if day > today)
        if ahead and self.chance.random() < 0.6:
            del planned[self.chance.choice(ahead[:4])]
        day = today + timedelta(days=self.chance.randint(-20, 30))
        if day not in planned and (line_id, day) not in self.books.ran and self.chance.random() < 0.7:
            planned[day] = day - timedelta(days=self.chance.choice((0, 1, 1, 5)))
        await self._write(line_id, planned)
        self.books.edit(line_id, planned)
        self.edits += 1

    async def _write(self, line_id: UUID, planned: dict[date, date]) -> None:
        runtime = self.firm.one("billing-backlog")
        schedule_id = await value(runtime, _SCHEDULE, line_id)
        body = {"rows": [{"run_date": day, "cut_off": cut_off} for day, cut_off in planned.items()]}
        async with runtime.database.transaction() as session:
            await change_schedule(
                session, runtime.context("ann"), schedule_id, None, InvoiceSchedulePatch.model_validate(body)
            )  # fmt: skip

    def _somebody_triggers(self, n: int) -> None:
        """Another scheduler, days ahead of a row or as late as ours."""
        today = FIRST + timedelta(days=n)
        near = [
            (line_id, day)
            for line_id, days in self.books.planned.items()
            for day in days
            if -2 <= (day - today).days <= 4
        ]
        if near:
            line_id, day = self.chance.choice(near)
            self.foreign.add((line_id, day))
            self.post.add(foreign(self.books.lines[line_id].contract, line_id, day), n)
