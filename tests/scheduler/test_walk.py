"""From a contract line's schedule to its runs: billing-backlog and the scheduler together."""

import json
import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from billing_backlog.worker import HANDLERS as BACKLOG
from billing_backlog.worker import build_work as backlog_work
from proforma.clock import SetClock
from proforma.db import fetch
from proforma.envelope import Record
from proforma.runtime import Runtime
from proforma.worker import Worker
from scheduler.loop import publish_turn
from scheduler.worker import HANDLERS as SCHEDULER
from scheduler.worker import build_work as scheduler_work
from tests.billing_backlog.scene import LINE, claimed, firm, ready, violations
from tests.billing_backlog.triggers.calendars import statuses
from tests.conftest import MakeApi, MakeRuntime, MakeTopics
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.waits import eventually, running

PATH = "/v1/invoice-schedules"
TODAY = date(2026, 3, 2)


class Mail:
    """What one service says to another, kept as Kafka keeps it, to be delivered in any order and number."""

    def __init__(self, sender: Runtime, receiver: Runtime, topic: str) -> None:
        self._sender, self._receiver, self._topic = sender, receiver, topic
        self._handlers = SCHEDULER if receiver.service == "scheduler" else BACKLOG

    async def all(self) -> list[Record]:
        """Every event so far."""
        async with self._sender.database.transaction() as session:
            rows = await fetch(session, "select * from outbox where topic = $1 order by id", self._topic)
        return [
            Record(
                row["topic"], 0, 0, row["key"].encode(),
                [("ce_id", str(row["event_id"]).encode()), ("ce_type", row["type"].encode())], row["body"].encode(),
            )
            for row in rows
        ]  # fmt: skip

    async def deliver(self, chance: random.Random) -> None:
        """All of it, some of it twice, in another order and cut into other batches."""
        records = await self.all()
        again = [replace(one, headers=[("ce_id", str(uuid4()).encode()), one.headers[1]]) for one in records]
        come = records + chance.sample(records, len(records) // 2) + chance.sample(again, len(again) // 2)
        chance.shuffle(come)
        while come:
            cut = chance.randint(1, 4)
            await deliver(self._receiver, self._handlers, *come[:cut])
            come = come[cut:]


@pytest.fixture
async def backlog(api: MakeApi) -> Api:
    found = await api("billing-backlog")
    await firm(found.runtime)
    return found


def rows(*days: date) -> list[dict[str, str]]:
    return [{"run_date": str(day)} for day in days]


async def make(backlog: Api, *days: date) -> str:
    body = {"contract_line_id": str(LINE), "rows": rows(*days)}
    answer = await backlog.as_("biller").post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


async def change(backlog: Api, schedule_id: str, *days: date) -> None:
    answer = await backlog.as_("biller").patch(
        f"{PATH}/{schedule_id}", json={"rows": rows(*days)}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("seed", range(4))
async def test_shuffled_repeated_and_delayed_both_ways_each_row_runs_once(
    backlog: Api, make_runtime: MakeRuntime, clock: SetClock, seed: int
) -> None:
    """Rows are moved away and back while triggers for them are under way; the clock goes on in between."""
    chance = random.Random(seed)
    scheduler = await make_runtime("scheduler")
    schedules = Mail(backlog.runtime, scheduler, "billing-backlog.contracts")
    triggers = Mail(scheduler, backlog.runtime, "scheduler.triggers")
    await ready(backlog.runtime, *range(1, 6))
    made = await make(backlog, TODAY, TODAY + timedelta(days=2))
    for step in range(6):
        kept = chance.sample([TODAY + timedelta(days=n) for n in range(6)], 3)
        if chance.random() < 0.7:
            await schedules.deliver(chance)
        if chance.random() < 0.7:
            await publish_turn(scheduler)
        if step < 4:
            await change(backlog, made, *kept)
        if chance.random() < 0.7:
            await triggers.deliver(chance)
        clock.advance(timedelta(hours=chance.randint(0, 40)))
    clock.set(datetime.fromisoformat("2026-03-20T12:00:00Z"))
    await schedules.deliver(chance)
    while await publish_turn(scheduler) is not None:
        await triggers.deliver(chance)
    await triggers.deliver(chance)
    found = await statuses(backlog.runtime)
    assert found
    assert set(found.values()) <= {"successful", "skipped"}
    runs = await _runs(backlog.runtime)
    assert sorted(runs) == sorted(found), "each row that ran has one run, and no run is without its row"
    assert sum(chunk.claim.items for chunk in await claimed(backlog.runtime)) == 5
    assert await violations(backlog.runtime) == []


async def _runs(runtime: Runtime) -> list[date]:
    async with runtime.database.transaction() as session:
        return [row["run_date"] for row in await fetch(session, "select run_date from runs")]


async def test_over_kafka_with_two_workers_each(
    backlog: Api, make_runtime: MakeRuntime, make_topics: MakeTopics
) -> None:
    """Two workers of each service; a schedule made over HTTP runs, with nobody asking."""
    await make_topics(
        "billing-backlog.contracts", "billing-backlog.claims", "billing-backlog.actuals", "scheduler.triggers",
        "time-expense.entries", "invoicing.invoices", "billing-backlog.answers",
    )  # fmt: skip
    scheduler = await make_runtime("scheduler")
    await ready(backlog.runtime, 1)
    workers = [Worker(scheduler, scheduler_work(scheduler)) for _ in range(2)]
    workers += [Worker(backlog.runtime, backlog_work(backlog.runtime)) for _ in range(2)]
    await make(backlog, TODAY - timedelta(days=30), TODAY, TODAY + timedelta(days=30))

    async def ran() -> bool:
        found = list((await statuses(backlog.runtime)).values())
        return found == ["skipped", "successful", "not_run"]

    async with running(workers[0]), running(workers[1]), running(workers[2]), running(workers[3]):
        await eventually(ran, limit_s=60)
    async with scheduler.database.transaction() as session:
        sent = await fetch(session, "select body, published from outbox order by id")
    assert [json.loads(row["body"])["run_date"] for row in sent] == ["2026-01-31", "2026-03-02"]
    assert all(row["published"] for row in sent)
    assert len(await claimed(backlog.runtime)) == 1
