"""What this service has said, as its topics have it, beside what its database knows of it (design §5.18)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import fetch, fetch_one
from proforma.envelope import Position, Record
from proforma.errors import BrokenRule
from proforma.kafka.reader import Reader
from proforma.telemetry import logger

IDENTITY = """
select origin, purged_to, array(select r.origin from restores r where r.what = 'adopted') as adopted
from database_identity
"""
OURS = "select event_id, published from outbox where event_id = any($1::uuid[])"

_WINDOW = 4
_GROWS = 4
_WINDOW_MAX = 256
_LOOK_BACK_MAX = 200_000
"""Records of one partition: only a topic into which others publish, and we do not, is that long without one of ours."""
_ID_MAX = 2**63 - 1

Standing = Literal["known", "sent", "unknown", "stranger"]
"""`known`: here as published, and with it all that lies before it in its partition, because the relay marks what it
has sent before it reads on. `sent`: here, but not marked, as after a crash between sending and marking. `unknown`:
ours by origin, and not here. `stranger`: said by another database of this service."""

log = logger()


@dataclass(frozen=True, slots=True)
class Said:
    """A message of this service in one of its topics."""

    record: Record
    event_id: UUID
    outbox_id: int
    origin: UUID

    @classmethod
    def read(cls, record: Record, source: str) -> "Said | None":
        """None for the messages of other publishers: another source, or no place in an outbox of ours."""
        number = record.header("ce_outboxid") or ""
        if record.header("ce_source") != source or not (number.isascii() and number.isdigit()):
            return None
        try:
            event_id, origin = record.event_id(), UUID(record.header("ce_outboxorigin") or "")
        except (BrokenRule, ValueError):
            return None
        return cls(record, event_id, int(number), origin) if int(number) <= _ID_MAX else None

    @property
    def place(self) -> str:
        return f"{self.record.topic}/{self.record.partition} at {self.record.offset}"


async def standings(session: AsyncSession, said: Sequence[Said]) -> dict[UUID, Standing]:
    """Where each message stands with this database."""
    identity = await fetch_one(session, IDENTITY)
    if identity is None:
        raise LookupError("the database has no identity")
    here = {row["event_id"]: row["published"] for row in await fetch(session, OURS, [one.event_id for one in said])}

    def standing(one: Said) -> Standing:
        if one.event_id in here:
            return "known" if here[one.event_id] else "sent"
        if one.origin == identity["origin"]:
            return "known" if one.outbox_id <= identity["purged_to"] else "unknown"
        return "known" if one.origin in identity["adopted"] else "stranger"

    return {one.event_id: standing(one) for one in said}


class Walk:
    """From the end of each partition of the service's own topics backwards, until it meets what the database knows."""

    def __init__(self, reader: Reader, service: str, *, most: int = _WINDOW_MAX) -> None:
        self._reader = reader
        self._service = service
        self._most = most

    async def __call__(self, session: AsyncSession) -> AsyncIterator[tuple[Said, Standing]]:
        """Every message that is not known; what lies behind a known one is not looked at."""
        extents = await self._reader.extents(f"{self._service}.")
        floors = {at: max(begin, end - _LOOK_BACK_MAX) for at, (begin, end) in extents.items()}
        tops = {at: end for at, (begin, end) in extents.items() if end > begin}
        window = _WINDOW
        while tops:
            ranges = {at: (max(floors[at], top - window), top) for at, top in tops.items()}
            tops = {at: begin for at, (begin, _) in ranges.items() if begin > floors[at]}
            by_partition = self._own(await self._reader.read(ranges))
            judged = await standings(session, [one for own in by_partition.values() for one in own])
            for at, own in by_partition.items():
                for one in reversed(own):
                    if judged[one.event_id] == "known":
                        tops.pop(at, None)
                        break
                    yield one, judged[one.event_id]
            window = min(window * _GROWS, self._most)
        for at, (begin, _) in extents.items():
            if floors[at] > begin:
                log.info("said.looked_back_far", topic=at[0], partition=at[1], records=_LOOK_BACK_MAX)

    def _own(self, records: Sequence[Record]) -> dict[Position, list[Said]]:
        found: dict[Position, list[Said]] = {}
        for record in records:
            own = Said.read(record, f"/{self._service}")
            if own is not None:
                found.setdefault((record.topic, record.partition), []).append(own)
        return found
