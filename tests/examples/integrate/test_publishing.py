"""What the example publishers send: valid by the schemas, under ids that a repeat makes again."""

import json
from datetime import date
from typing import Any

import jsonschema_rs
import pytest

from examples.integrate import approvals, triggers
from examples.integrate.cloudevents import Message, attribute
from proforma.envelope import Event, Record, decode
from proforma.events.scheduler import RunDue
from proforma.events.time_expense import CancellationsRequested, EntriesApproved
from reference.events import schema_of

SOURCE = "https://time.example"
ROW = {
    "external_id": "4711", "revision": "1", "project": "PORTAL", "resource": "ann", "role": "dev", "date": "2026-03-02",
    "hours": "7.50", "approved_by": "bo", "approved_at": "2026-03-03T08:30:00Z", "task": "", "description": "Login",
}  # fmt: skip
QUESTION = {
    "external_id": "4711", "revision": "1", "project": "PORTAL", "by": "bo", "at": "2026-03-04T08:30:00Z",
    "reason": "wrong task",
}  # fmt: skip


def read(one: Message, event: type[Event]) -> Any:
    """The message as its consumer reads it, after its schema has."""
    jsonschema_rs.validator_for(schema_of(event), validate_formats=True).validate(json.loads(one.body))
    record = Record(one.topic, 0, 0, one.key.encode(), one.headers, one.body)
    body = decode(event, record).body
    assert (record.type, one.topic, one.key) == (event.TYPE, event.TOPIC, body.key())
    assert attribute(one.headers, "ce_source").startswith("https://")
    assert not {name for name, _ in one.headers} & {"ce_outboxid", "ce_outboxorigin"}, "these are ours"
    return body


def event_id(one: Message) -> str:
    return attribute(one.headers, "ce_id")


def test_an_approval() -> None:
    (one,) = approvals.approved(SOURCE, [ROW])
    (entry,) = read(one, EntriesApproved).entries
    assert entry.id == approvals.entry_id(SOURCE, "4711")
    assert (entry.revision, str(entry.quantity), str(entry.billable_quantity)) == (1, "7.50", "7.50")
    assert (entry.task, entry.external_description, entry.approved_by) == (None, "Login", "bo")


def test_a_message_has_one_project_and_500_entries_at_most() -> None:
    rows = [{**ROW, "external_id": str(n), "project": "AB"[n % 2]} for n in range(1_003)]
    sent = approvals.approved(SOURCE, rows)
    bodies = [read(one, EntriesApproved) for one in sent]
    assert [(one.key, len(body.entries)) for one, body in zip(sent, bodies, strict=True)] == [
        ("A", 500), ("A", 2), ("B", 500), ("B", 1)
    ]  # fmt: skip
    assert len({entry.id for body in bodies for entry in body.entries}) == 1_003


def test_a_repeat_has_the_same_id_and_another_content_another_one() -> None:
    (first,), (again,) = approvals.approved(SOURCE, [ROW]), approvals.approved(SOURCE, [ROW])
    (other,) = approvals.approved(SOURCE, [{**ROW, "hours": "8"}])
    assert event_id(first) == event_id(again) != event_id(other)
    assert read(first, EntriesApproved).entries[0].id == read(other, EntriesApproved).entries[0].id
    assert approvals.entry_id(SOURCE, "4711") != approvals.entry_id("https://other.example", "4711")


def test_a_question_keeps_its_id() -> None:
    (first,), (again,) = (approvals.cancellations(SOURCE, [QUESTION]) for _ in range(2))
    (asked,) = read(first, CancellationsRequested).entries
    assert asked.id == approvals.entry_id(SOURCE, "4711")
    assert asked.request_id == read(again, CancellationsRequested).entries[0].request_id


def test_a_trigger_may_be_said_again() -> None:
    contract, line = "01998a60-0000-7000-8000-000000000002", "01998a60-0000-7000-8000-000000000003"
    first, again = (triggers.due(SOURCE, contract, line, date(2026, 3, 31)) for _ in range(2))
    assert read(first, RunDue) == read(again, RunDue)
    assert event_id(first) != event_id(again)


def test_a_missing_header_is_named() -> None:
    with pytest.raises(ValueError, match="ce_type"):
        attribute([("ce_id", b"1"), ("ce_type", None)], "ce_type")
