"""Another time system and another scheduler in the place of ours: their messages end on invoices, once."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from examples.integrate import approvals, triggers
from examples.integrate.cloudevents import Message
from proforma.envelope import decode
from proforma.events.billing_backlog import CancellationsAnswered
from reference.events import EVENTS
from tests.conftest import MakeApi, MakeTopics
from tests.flows import main_job
from tests.flows.firm import BILLED, CHARGEABLE, COST, UNBILLED, Firm, numbers, rows
from tests.support.kafka import Broker
from tests.support.product import together
from tests.support.rows import value
from tests.support.waits import eventually

SOURCE = "https://time.example"
OURS = ("billing-backlog", "invoicing")
ROW = {
    "external_id": "a", "revision": "1", "project": "P1", "resource": "ann", "role": "dev", "date": "2026-03-02",
    "hours": "8", "approved_by": "bo", "approved_at": "2026-03-02T08:30:00Z", "description": "Login page",
}  # fmt: skip
SEEN = "select coalesce(sum(next_offset), 0) >= $2 from consumed where topic = $1"


async def _firm(api: MakeApi, make_topics: MakeTopics) -> Firm:
    return Firm(await together(api, make_topics, partitions=1))


async def _publish(firm: Firm, broker: Broker, messages: Sequence[Message]) -> None:
    """Sends them as the example does, and waits until billing-backlog has read them."""
    runtime = firm.product.runtime("billing-backlog")
    topic = messages[0].topic
    before = await value(runtime, "select coalesce(sum(next_offset), 0) from consumed where topic = $1", topic)
    await approvals.publish(broker.bootstrap, messages, broker.prefix)
    await eventually(lambda: value(runtime, SEEN, topic, before + len(messages)), 60)


async def _answer(firm: Firm, broker: Broker, nth: int) -> Any:
    """Waits until billing-backlog has answered `nth` questions; the last answer, as the other system reads it."""
    runtime = firm.product.runtime("billing-backlog")
    sent = "select count(*) = $2 from outbox where type = $1 and published"
    await eventually(lambda: value(runtime, sent, CancellationsAnswered.TYPE, nth), 60)
    found = [one for one in await broker.read(CancellationsAnswered.TOPIC) if one.type == CancellationsAnswered.TYPE]
    (answer,) = decode(CancellationsAnswered, found[-1]).body.entries
    return answer


async def test_an_entry_of_another_time_system_ends_on_an_invoice(
    api: MakeApi, make_topics: MakeTopics, broker: Broker
) -> None:
    """Approved there, published as the example does it: billed here; taken back and approved anew; never twice."""
    firm = await _firm(api, make_topics)
    async with firm.product.working(OURS):
        await firm.open()
        first = approvals.approved(SOURCE, [ROW, {**ROW, "external_id": "b", "hours": "2.50", "billable_hours": "2"}])
        await _publish(firm, broker, first)
        entry = str(approvals.entry_id(SOURCE, "a"))
        assert await firm.ledger(entry_id=entry) == rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600))
        await _publish(firm, broker, first)
        await _changed_after_its_cancellation(firm, broker, entry)
        assert (await firm.mark_ready())["changed"] == 3
        invoice = await firm.confirm((await firm.drafted())["id"])
        assert numbers(invoice, "details", "total") == [3, 6 * 200 + 2 * 200]
        assert await firm.ledger(entry_id=entry, type=BILLED) == rows((BILLED, CHARGEABLE, 6, 1200))
        shown = {one["entry_id"]: one["external_description"] for one in await firm.details(invoice["id"])}
        assert shown[entry] == "Login page"
        await _publish(firm, broker, [*first, *approvals.approved(SOURCE, [{**ROW, "revision": "2", "hours": "6"}])])
        await _publish(firm, broker, approvals.cancellations(SOURCE, [_question("2")]))
        answer = await _answer(firm, broker, 2)
        assert (answer.revision, answer.outcome, str(answer.invoice_id)) == (2, "refused", invoice["id"])
        assert [one["entry_id"] for one in await firm.items(contract_id=firm.contract_id)] == []
        assert (await main_job.check_ledger(firm.product))["violations"] == []
        assert await firm.product.dead_letters() == []


async def _changed_after_its_cancellation(firm: Firm, broker: Broker, entry: str) -> None:
    """8 h were wrong, 6 h are right: first the question, then, once it is answered, the next revision."""
    await _publish(firm, broker, approvals.cancellations(SOURCE, [_question("1")]))
    assert (await _answer(firm, broker, 1)).outcome == "reversed"
    await _publish(firm, broker, approvals.approved(SOURCE, [{**ROW, "revision": "2", "hours": "6"}]))
    assert await firm.ledger(entry_id=entry) == rows(
        (COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600), (COST, CHARGEABLE, -8, -800),
        (UNBILLED, CHARGEABLE, -8, -1600), (COST, CHARGEABLE, 6, 600), (UNBILLED, CHARGEABLE, 6, 1200),
    )  # fmt: skip


def _question(revision: str) -> dict[str, str]:
    return {"external_id": "a", "revision": revision, "project": "P1", "by": "bo", "at": "2026-03-02T08:45:00Z",
            "reason": "wrong"}  # fmt: skip


async def test_what_contradicts_an_approval_waits_for_a_person(
    api: MakeApi, make_topics: MakeTopics, broker: Broker
) -> None:
    """The same revision with other hours, and a next one without the question: set aside, and nothing is posted."""
    firm = await _firm(api, make_topics)
    async with firm.product.working(OURS):
        await firm.open()
        await _publish(firm, broker, approvals.approved(SOURCE, [ROW]))
        for wrong in ({"hours": "7"}, {"revision": "2", "hours": "6"}):
            await _publish(firm, broker, approvals.approved(SOURCE, [{**ROW, **wrong}]))
        reasons = [one["reason"] for one in await firm.product.dead_letters()]
        assert len(reasons) == 2
        assert "another content" in reasons[0]
        assert "not reversed" in reasons[1]
        entry = str(approvals.entry_id(SOURCE, "a"))
        assert await firm.ledger(entry_id=entry) == rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600))


async def test_another_scheduler_runs_what_is_due(api: MakeApi, make_topics: MakeTopics, broker: Broker) -> None:
    """Its trigger runs the schedule's row, once; one before the schedule was made does nothing and may come again."""
    firm = await _firm(api, make_topics)
    async with firm.product.working(OURS):
        await firm.open()
        await _publish(firm, broker, approvals.approved(SOURCE, [ROW]))
        await firm.mark_ready()
        day = date(2026, 3, 2)
        line = firm.lines["work"]
        await _publish(firm, broker, [triggers.due(SOURCE, firm.contract_id, line, day)])
        terms = {"contract_line_id": line, "rows": [{"run_date": str(day), "cut_off": str(day)}]}
        await firm.backlog("POST", "/v1/invoice-schedules", terms, "manager")
        again = [triggers.due(SOURCE, firm.contract_id, line, day) for _ in range(3)]
        await _publish(firm, broker, again)
        (run,) = await firm.product.all("billing-backlog", "/v1/invoice-runs", contract_id=firm.contract_id)
        assert (run["kind"], run["status"], run["run_date"]) == ("scheduled", "claimed", str(day))
        draft = await firm.open_draft(run["id"])
        assert numbers(draft, "details", "total") == [1, 1600]
        assert await firm.product.dead_letters() == []


def test_the_examples_use_types_that_there_are() -> None:
    used = {approvals.APPROVED, approvals.CANCEL, triggers.DUE}
    assert used <= {event.TYPE for event in EVENTS}
