"""CloudEvents 1.0 in Kafka binary mode: attributes as `ce_*` headers, the body as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from proforma.errors import BrokenRule


class Body(BaseModel):
    """Part of an event: frozen, and unknown fields are ignored, so that a producer may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Body):
    """An event's body and where it goes. `TYPE` ends in its version; a breaking change is a new class beside it."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]

    def key(self) -> str:
        """The Kafka key and `ce_subject`: events of one key keep their order."""
        raise NotImplementedError(type(self).__name__)  # pragma: no cover

    def outgoing(self) -> "Outgoing":
        return Outgoing(self.TOPIC, self.TYPE, self.key(), self.model_dump_json())


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event ready for the outbox; `body` is JSON text. Bulk paths build it in SQL."""

    topic: str
    type: str
    key: str
    body: str


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The attributes of one CloudEvent as they travel in headers."""

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    outbox_id: int
    outbox_origin: UUID
    trace: Mapping[str, str]

    def headers(self) -> list[tuple[str, bytes]]:
        pairs = {
            "ce_specversion": "1.0",
            "ce_id": str(self.id),
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_subject": self.subject,
            "ce_time": self.time.isoformat().replace("+00:00", "Z"),
            "ce_outboxid": str(self.outbox_id),
            "ce_outboxorigin": str(self.outbox_origin),
            "content-type": "application/json",
            **self.trace,
        }
        return [(name, value.encode()) for name, value in pairs.items() if value]


Position = tuple[str, int]
"""(topic without prefix, partition)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it came from Kafka, undecoded. Kafka allows headers without a value."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None

    def header(self, name: str) -> str | None:
        """The text of a header; None where it is missing, has no value or is not printable UTF-8."""
        for key, value in self.headers:
            if key == name and value is not None:
                try:
                    text = value.decode()
                except UnicodeDecodeError:
                    return None
                # What cannot be printed cannot be stored either (NUL), and no id or type of ours has it.
                return text if text.isprintable() else None
        return None

    @property
    def type(self) -> str | None:
        return self.header("ce_type")

    def event_id(self) -> UUID:
        """`ce_id` as a UUID; raises BrokenRule: without an id nobody could tell a repeat from a new event."""
        text = self.header("ce_id")
        try:
            return UUID(text or "")
        except ValueError:
            raise BrokenRule(f"ce_id is not a UUID: {text!r}") from None


@dataclass(frozen=True, slots=True)
class Message(Generic[E]):
    """A decoded event with the id it must be handled once under."""

    id: UUID
    body: E
    record: Record


def decode(event: type[E], record: Record) -> Message[E]:
    """Reads one record as `event`; raises ValidationError or BrokenRule."""
    if record.value is None:
        raise BrokenRule("the record has no value")
    return Message(record.event_id(), event.model_validate_json(record.value), record)
