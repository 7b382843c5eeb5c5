"""A year in fast motion: two schedulers that come and go, late and repeated schedules, pauses; each row runs once."""

import asyncio
import json
import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from proforma.clock import SetClock
from proforma.envelope import Record
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.intake import Intake, first_run
from proforma.runtime import Runtime
from scheduler.__main__ import SERVICE
from scheduler.loop import publish_turn
from scheduler.pauses import service as pauses
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.year import CONTRACTS, DAYS, FIRST, LINES, Schedule, mail, portfolio
from tests.support.rows import rows, value

TOPIC = ("billing-backlog.contracts", 0)
_TYPES = {one.TYPE: one for one in (ScheduleChanged, ScheduleEnded)}


class Year:
    """Two schedulers on one database, and the model beside them."""

    def __init__(self, runtime: Runtime, clock: SetClock, chance: random.Random) -> None:
        self.runtime = runtime
        self.clock = clock
        self.chance = chance
        self.schedules = {line.schedule_id: Schedule(line) for line in portfolio(chance)}
        self._schedulers = [self._started() for _ in range(2)]
        self._offset = 0

    def _started(self) -> Runtime:
        return SERVICE.runtime(self.runtime.settings, "year", clock=self.clock)

    async def restart(self, n: int) -> None:
        """A fresh process in the place of one of the two."""
        await self._schedulers[n].database.close()
        self._schedulers[n] = self._started()

    async def deliver(self, records: list[Record]) -> None:
        """The consumer of either scheduler, in batches; the model hears each for itself."""
        on = self.chance.choice(self._schedulers)
        intake = Intake(on.database, on.context(), HANDLERS, on.group)
        left = [replace(record, offset=self._offset + n) for n, record in enumerate(records)]
        self._offset += len(records)
        while left:
            batch = first_run(left, on.settings.limits.consume_messages_max)
            await intake.handle(TOPIC, batch[0].offset, batch)
            left = left[len(batch) :]
        for record in records:
            said = _TYPES[record.type or ""].model_validate_json(record.value or b"")
            self.schedules[said.schedule_id].hear(said)

    async def work(self) -> None:
        """Both take turns at once, until nothing is due."""

        async def turns(runtime: Runtime) -> None:
            while (following := await publish_turn(runtime)) is not None and following <= self.clock.now():
                pass

        await asyncio.gather(*(turns(one) for one in self._schedulers))
        # The one that gave way to the other may have seen the rest.
        await turns(self._schedulers[0])
        for schedule in self.schedules.values():
            schedule.turn(self.clock.now())

    async def somebody_pauses_or_resumes(self) -> None:
        """Over the API, whether a scheduler runs or not."""
        known = [one for one in self.schedules.values() if one.version and (one.rows or one.paused)]
        for schedule in self.chance.sample(known, min(len(known), 2)):
            act = pauses.resume if schedule.paused else pauses.pause
            async with self.runtime.database.transaction() as session:
                await act(session, self.runtime.context("ann"), schedule.line.schedule_id, None, None)
            if schedule.paused:
                schedule.resume(self.clock.now())
            else:
                schedule.paused = True

    async def close(self) -> None:
        """Ends both."""
        for one in self._schedulers:
            await one.database.close()


async def lived(year: Year) -> None:
    """Day by day, at any hour; on some days, and on some weeks, no scheduler is there and the mail piles up."""
    chance, down_until, pile = year.chance, 0, []
    come = mail(chance, [one.line for one in year.schedules.values()])
    for n in range(DAYS):
        at = time(chance.randrange(24), chance.randrange(60), tzinfo=UTC)
        year.clock.set(datetime.combine(FIRST + timedelta(days=n), at))
        pile += come.get(n, [])
        if chance.random() < 0.5:
            await year.somebody_pauses_or_resumes()
        if n >= down_until and chance.random() < 0.03:
            down_until = n + chance.randint(1, 9)
        if n < down_until and n < DAYS - 1:
            continue
        if n == down_until or chance.random() < 0.1:
            await year.restart(chance.randrange(2))
        await year.deliver(pile)
        pile = []
        await year.work()


async def test_a_year_triggers_every_line_and_run_date_once(make_runtime: MakeRuntime, clock: SetClock) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")  # noqa: T201 - shown when the test fails
    runtime = await make_runtime("scheduler")
    year = Year(runtime, clock, random.Random(seed))
    try:
        await lived(year)
    finally:
        await year.close()
    assert len(year.schedules) == LINES
    assert len({one.line.contract_id for one in year.schedules.values()}) == CONTRACTS
    await as_the_model_says(year)


async def as_the_model_says(year: Year) -> None:
    """Every (line, run date) that was triggered, once, at its moment; and nothing else."""
    model = {
        (one.line.id, day): done for one in year.schedules.values() for day, done in one.done.items()
    }  # fmt: skip
    found = await rows(
        year.runtime,
        "select contract_line_id, run_date, status, published_at from triggers"
        " where status in ('published', 'superseded')",
    )
    assert {(one["contract_line_id"], one["run_date"]): (one["status"], one["published_at"]) for one in found} == model
    bodies = [json.loads(one["body"]) for one in await rows(year.runtime, "select body from outbox")]
    sent = Counter((body["contract_line_id"], body["run_date"]) for body in bodies)
    triggered = {(str(line), str(day)) for (line, day), (status, _) in model.items() if status == "published"}
    assert sent == Counter(triggered)
    assert len(triggered) > 10_000
    assert sum(status == "superseded" for status, _ in model.values()) > 50
    assert await value(year.runtime, "select count(*) from dead_letters") == 0
