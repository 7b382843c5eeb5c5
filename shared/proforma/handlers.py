"""What a service does with events: one entry per event type, used by the consumer and by replay alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.envelope import Event, Message, Record, decode
from proforma.errors import BrokenRule

E = TypeVar("E", bound=Event)

Handle = Callable[[AsyncSession, Context, Sequence[Message[E]]], Awaitable[None]]
"""Applies messages of one type in one transaction. No order across messages may be relied on (design §5.9)."""

OnDrop = Callable[[AsyncSession, Context, Record], Awaitable[None]]
"""Answers for a dead letter that is given up, in the transaction of the drop; raises Conflict to refuse it."""


@dataclass(frozen=True, slots=True)
class Handler:
    """How one event type is handled. `on_drop` None: dropping has no consequence but the loss of the message."""

    event: type[Event]
    handle: Handle[Any]
    on_drop: OnDrop | None = None


class Handlers:
    """The handlers of one service, by event type, with the topics they come on."""

    def __init__(self, *handlers: Handler) -> None:
        self._by_type: Mapping[str, Handler] = {handler.event.TYPE: handler for handler in handlers}
        self._nouns = {_unversioned(kind) for kind in self._by_type}
        self.topics: list[str] = sorted({handler.event.TOPIC for handler in handlers})

    def of(self, event_type: str | None) -> Handler | None:
        """The handler of a type; None for a type that is none of ours.

        Raises BrokenRule for another version of a type that we do know: to ignore it as unknown would lose
        approvals or invoices in silence. As a dead letter it waits for the release that can read it.
        """
        if event_type is None:
            raise BrokenRule("the record has no ce_type")
        found = self._by_type.get(event_type)
        if found is None and _unversioned(event_type) in self._nouns:
            raise BrokenRule(f"{event_type}: a version that this release does not know")
        return found

    async def apply(self, session: AsyncSession, context: Context, handler: Handler, records: Sequence[Record]) -> None:
        """Decodes and handles records of one type; raises what the first bad one raises."""
        await handler.handle(session, context, [decode(handler.event, record) for record in records])


def _unversioned(event_type: str) -> str:
    return event_type.rpartition(".v")[0]
