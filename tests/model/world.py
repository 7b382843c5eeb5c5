"""Three services that meet in a post office of their own: every event is delivered, out of order and some twice."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from proforma.envelope import Envelope, Record
from tests.support.api import Api
from tests.support.databases import service_named
from tests.support.events import deliver
from tests.support.rows import rows

SERVICES = ("time-expense", "billing-backlog", "invoicing")
_SAID = "select id, event_id, topic, type, key, body, created_at from outbox where id > $1 order by id"
_BATCH_MAX = 7


@dataclass
class World:
    """The services, what they have said so far, and the dice that decide in which order it arrives."""

    apis: Mapping[str, Api]
    dice: random.Random
    seen: dict[str, int] = field(default_factory=dict)
    delivered: list[tuple[str, Record]] = field(default_factory=list)
    held: list[tuple[str, Record]] = field(default_factory=list)

    async def call(self, service: str, method: str, path: str, role: str, **request: Any) -> httpx.Response:
        """An HTTP call; single things are changed whatever their version is, unless the caller says another one."""
        client = self.apis[service].as_(role)
        headers = {"If-Match": "*", **request.pop("headers", {})}
        answer: httpx.Response = await client.request(method, path, headers=headers, **request)
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        return answer

    async def ok(self, service: str, method: str, path: str, role: str, **request: Any) -> Any:
        """The JSON of a call that must succeed."""
        answer = await self.call(service, method, path, role, **request)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def settle(self) -> None:
        """Delivers what was said, and what is said because of it, until nobody has anything to say."""
        while news := [*self.held, *await self._news()]:
            self.held = []
            self.dice.shuffle(news)
            again = [one for one in news if self.dice.random() < 0.2]
            await self._deliver(news + again)
            self.delivered += news

    async def drip(self) -> None:
        """Delivers some of what was said and not delivered yet; the rest stays behind, for a while or for long."""
        self.held += await self._news()
        self.dice.shuffle(self.held)
        count = self.dice.randint(0, len(self.held))
        mail, self.held = self.held[:count], self.held[count:]
        await self._deliver(mail)
        self.delivered += mail

    async def repeat(self) -> None:
        """Delivers old events again, out of order: half of them under ids that no inbox knows."""
        some = self.dice.sample(self.delivered, min(len(self.delivered), 30))
        await self._deliver(
            [(service, record if self.dice.random() < 0.5 else _renamed(record)) for service, record in some]
        )
        await self.settle()

    async def _news(self) -> list[tuple[str, Record]]:
        found = []
        for name in SERVICES:
            said = await rows(self.apis[name].runtime, _SAID, self.seen.get(name, 0))
            if said:
                self.seen[name] = said[-1]["id"]
            found += [(reader, _record(name, row)) for row in said for reader in _readers(row["topic"])]
        return found

    async def _deliver(self, mail: list[tuple[str, Record]]) -> None:
        for name in SERVICES:
            mine = [record for reader, record in mail if reader == name]
            runtime = self.apis[name].runtime
            handlers = service_named(name).work(runtime).handlers
            while mine:
                size = self.dice.randint(1, _BATCH_MAX)
                await deliver(runtime, handlers, *mine[:size])
                mine = mine[size:]


def _readers(topic: str) -> list[str]:
    return [name for name in SERVICES if topic in _TOPICS[name]]


_TOPICS = {
    "time-expense": {"billing-backlog.answers"},
    "billing-backlog": {"time-expense.entries", "invoicing.invoices"},
    "invoicing": {"billing-backlog.claims", "billing-backlog.answers"},
}


def _record(service: str, row: Mapping[str, Any]) -> Record:
    envelope = Envelope(
        row["event_id"], f"/{service}", row["type"], row["key"], row["created_at"], row["id"], UUID(int=1), {}
    )
    return Record(row["topic"], 0, 0, row["key"].encode(), envelope.headers(), row["body"].encode())


def _renamed(record: Record) -> Record:
    headers = [(name, str(uuid4()).encode() if name == "ce_id" else value) for name, value in record.headers]
    return Record(record.topic, 0, 0, record.key, headers, record.value)
