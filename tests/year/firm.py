"""The services of the year: processes that come and go, and Kafka's part played by a post that is late and repeats."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from proforma.clock import SetClock
from proforma.envelope import Record
from proforma.events.scheduler import RunDue
from proforma.runtime import Runtime
from tests.support.databases import service_named
from tests.support.events import deliver, record_of
from tests.support.rows import rows
from tests.year.books import Due

READERS = {
    "billing-backlog.contracts": "scheduler", "scheduler.triggers": "billing-backlog",
    "billing-backlog.claims": "invoicing", "invoicing.invoices": "billing-backlog",
}  # fmt: skip
_SAID = "select id, event_id, topic, type, key, body from outbox where id > $1 and topic = any($2::text[]) order by id"


@dataclass
class Post:
    """What was said and is to be delivered, by topic and day of the year; some of it comes days late, some twice."""

    chance: random.Random
    seen: dict[str, int] = field(default_factory=dict)
    bags: dict[str, dict[int, list[Record]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    repeats: int = 0
    late: int = 0

    async def collect(self, sender: Runtime, today: int) -> None:
        """Takes what a service has said since."""
        said = await rows(sender, _SAID, self.seen.get(sender.service, 0), list(READERS))
        for row in said:
            self.seen[sender.service] = row["id"]
            headers = [("ce_id", str(row["event_id"]).encode()), ("ce_type", row["type"].encode())]
            self.add(Record(row["topic"], 0, 0, row["key"].encode(), headers, row["body"].encode()), today)

    def add(self, record: Record, today: int) -> None:
        """One message, and sometimes a copy of it, under its own id or another one."""
        delay = self.chance.choice((0, 0, 0, 0, 0, 0, 0, 1, 3))
        self.late += delay > 0
        bag = self.bags[record.topic]
        bag[today + delay].append(record)
        if self.chance.random() < 0.15:
            self.repeats += 1
            renamed = [(name, str(uuid4()).encode() if name == "ce_id" else text) for name, text in record.headers]
            again = self.chance.choice((record, replace(record, headers=renamed)))
            bag[today + self.chance.choice((0, 0, 1, 6))].append(again)

    def batches(self, topic: str, today: int, *, flush: bool = False) -> Iterator[list[Record]]:
        """What is to be delivered by today, in any order and in batches of any size that a poll may have."""
        bag = self.bags[topic]
        due = [record for day in sorted(bag) if day <= today or flush for record in bag.pop(day)]
        self.chance.shuffle(due)
        while due:
            size = self.chance.choice((1, 5, 50, 50, 50))
            yield due[:size]
            due = due[size:]

    def empty(self) -> bool:
        """Nothing is under way."""
        return not any(any(bag.values()) for bag in self.bags.values())


class Firm:
    """Two processes of each service; any of them does what is to be done, and may be replaced by a fresh one."""

    def __init__(self, runtimes: Mapping[str, Runtime], clock: SetClock, chance: random.Random) -> None:
        self._settings = {name: runtime.settings for name, runtime in runtimes.items()}
        self._clock = clock
        self._chance = chance
        self._processes = {name: [self._started(name), self._started(name)] for name in runtimes}
        self.restarts = 0

    def _started(self, name: str) -> Runtime:
        return service_named(name).runtime(self._settings[name], "year", clock=self._clock)

    def both(self, name: str) -> Sequence[Runtime]:
        """Both processes of a service."""
        return self._processes[name]

    def one(self, name: str) -> Runtime:
        """Either process of a service."""
        return self._chance.choice(self._processes[name])

    async def restart(self, name: str) -> None:
        """A fresh process in the place of one of the two."""
        n = self._chance.randrange(2)
        await self._processes[name][n].database.close()
        self._processes[name][n] = self._started(name)
        self.restarts += 1

    async def deliver(self, topic: str, batch: Sequence[Record]) -> None:
        """One poll of a consumer; fails where something becomes a dead letter."""
        reader = self.one(READERS[topic])
        await deliver(reader, service_named(reader.service).work(reader).handlers, *batch)

    async def close(self) -> None:
        """Ends all of them."""
        for processes in self._processes.values():
            for one in processes:
                await one.database.close()


def due_of(record: Record) -> Due:
    """What a trigger names."""
    said = RunDue.model_validate_json(record.value or b"")
    return said.contract_line_id, said.run_date


def foreign(contract_id: UUID, line_id: UUID, day: date) -> Record:
    """A trigger of somebody else's scheduler."""
    due: dict[str, Any] = {"contract_id": contract_id, "contract_line_id": line_id, "run_date": day}
    return record_of(RunDue(**due, row_id=uuid4(), schedule_version=0))
