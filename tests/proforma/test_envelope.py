"""The envelope, held against the CloudEvents project's own library."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from proforma.envelope import Envelope, Record, decode
from proforma.errors import BrokenRule
from tests.support.events import record_of
from tests.support.probe import Told

TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "x-request-id": "r-1"}


def envelope(subject: str = "k", time: datetime | None = None) -> Envelope:
    return Envelope(
        id=uuid4(), source="/probe", type=Told.TYPE, subject=subject,
        time=time or datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC), outbox_id=17, outbox_origin=UUID(int=1),
        trace=TRACE,
    )  # fmt: skip


def as_the_library_reads_it(headers: list[tuple[str, bytes]], body: bytes, key: bytes = b"k") -> BaseCloudEvent:
    message = KafkaMessage(headers=dict(headers), key=key, value=body)
    return from_binary(message, JSONFormat(), CloudEvent)


def test_the_library_reads_what_we_write() -> None:
    ours = envelope()
    theirs = as_the_library_reads_it(ours.headers(), b'{"name":"k","value":"v"}')
    assert theirs.get_specversion() == "1.0"
    assert theirs.get_id() == str(ours.id)
    assert theirs.get_source() == "/probe"
    assert theirs.get_type() == Told.TYPE
    assert theirs.get_subject() == "k"
    assert theirs.get_time() == ours.time
    assert theirs.get_datacontenttype() == "application/json"
    assert theirs.get_data() == {"name": "k", "value": "v"}
    assert theirs.get_extension("outboxid") == "17"
    assert theirs.get_extension("outboxorigin") == str(UUID(int=1))


@given(
    st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable()),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis adds it
)
def test_any_subject_and_time_survives(subject: str, time: datetime) -> None:
    theirs = as_the_library_reads_it(envelope(subject, time).headers(), b"{}")
    assert (theirs.get_subject(), theirs.get_time()) == (subject, time)


def test_the_ids_of_the_request_travel_beside_it() -> None:
    headers = dict(envelope().headers())
    assert headers["traceparent"] == TRACE["traceparent"].encode()
    assert headers["x-request-id"] == b"r-1"


def test_we_read_what_we_write() -> None:
    event, event_id = Told(name="k", value="v"), uuid4()
    message = decode(Told, record_of(event, event_id))
    assert (message.id, message.body) == (event_id, event)


@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_header_without_a_readable_value_counts_as_missing(value: bytes | None) -> None:
    record = Record("t", 0, 0, None, [("ce_type", value), ("ce_id", value)], b"{}")
    assert record.type is None
    with pytest.raises(BrokenRule, match="ce_id"):
        record.event_id()
