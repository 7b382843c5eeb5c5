"""Uploads: taken as a stream, kept whole until their job is over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.errors import Invalid, TooLarge
from proforma.settings import Limits
from time_expense.uploads import queries


@dataclass(frozen=True, slots=True)
class Stored:
    """An upload that is kept: its bytes, and its lines (no fewer than its rows)."""

    bytes: int
    lines: int


async def store(session: AsyncSession, limits: Limits, job_id: UUID, stream: AsyncIterator[bytes]) -> Stored:
    """Keeps a stream in pieces, holding one of them in memory. Raises TooLarge, and Invalid when nothing came."""
    held = bytearray()
    pieces = total = lines = 0
    ended = True
    async for part in stream:
        total += len(part)
        if total > limits.upload_bytes_max:
            raise TooLarge(f"at most {limits.upload_bytes_max} bytes")
        lines += part.count(b"\n")
        ended = part.endswith(b"\n") if part else ended
        held += part
        while len(held) >= queries.PIECE_BYTES:
            await queries.add(session, job_id, pieces, bytes(held[: queries.PIECE_BYTES]))
            del held[: queries.PIECE_BYTES]
            pieces += 1
    if held:
        await queries.add(session, job_id, pieces, bytes(held))
    if not total:
        raise Invalid.field("", "the upload is empty")
    return Stored(total, lines if ended else lines + 1)


async def drop_finished(session: AsyncSession) -> int:
    """Deletes the uploads whose jobs are over; returns how many pieces."""
    return await queries.drop_finished(session)
