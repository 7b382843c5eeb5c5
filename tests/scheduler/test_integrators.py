"""Somebody else's scheduler publishes to our topic: what is asked twice runs once."""

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

from billing_backlog.worker import build_work as backlog_work
from proforma.envelope import Record
from proforma.events.scheduler import RunDue
from proforma.worker import Worker
from tests.billing_backlog.scene import CONTRACT, LINE, claimed, firm, ready
from tests.billing_backlog.triggers.calendars import statuses
from tests.conftest import MakeApi, MakeTopics
from tests.support.events import record_of
from tests.support.kafka import Broker
from tests.support.rows import value
from tests.support.waits import eventually, running

TODAY = date(2026, 3, 2)
TOPICS = (
    "billing-backlog.contracts", "billing-backlog.claims", "billing-backlog.actuals", "billing-backlog.answers",
    "scheduler.triggers", "time-expense.entries", "invoicing.invoices",
)  # fmt: skip


def theirs(event_id: UUID | None = None, run_date: date = TODAY) -> Record:
    """As an outside scheduler sends it: its own source, nothing of an outbox, and row and version as it likes."""
    due = RunDue(contract_id=CONTRACT, contract_line_id=LINE, run_date=run_date, row_id=uuid4(), schedule_version=0)
    record = record_of(due, event_id)
    kept = [
        (name, text) for name, text in record.headers if name not in ("ce_source", "ce_outboxid", "ce_outboxorigin")
    ]
    return replace(record, headers=[*kept, ("ce_source", b"https://cron.example/nightly")])


async def test_an_outside_trigger_runs_once_however_often_it_comes(
    api: MakeApi, make_topics: MakeTopics, broker: Broker
) -> None:
    backlog = await api("billing-backlog")
    runtime = backlog.runtime
    await firm(runtime)
    await ready(runtime, 1, 2)
    await make_topics(*TOPICS)
    body = {"contract_line_id": str(LINE), "rows": [{"run_date": str(TODAY)}]}
    made = await backlog.as_("biller").post("/v1/invoice-schedules", json=body)
    assert made.status_code == 201, made.text
    same, unknown = uuid4(), date(2026, 2, 27)
    await broker.send(theirs(same), theirs(same), theirs(), theirs(run_date=unknown), theirs())
    seen = "select coalesce(sum(next_offset), 0) = 5 from consumed where topic = 'scheduler.triggers'"
    async with running(Worker(runtime, backlog_work(runtime))):
        await eventually(lambda: value(runtime, seen), limit_s=60)
    assert await statuses(runtime) == {TODAY: "successful"}
    assert await value(runtime, "select count(*) from runs") == 1
    assert sum(chunk.claim.items for chunk in await claimed(runtime)) == 2
    assert await value(runtime, "select count(*) from dead_letters") == 0
