"""Pieces of uploads in and out of the database."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch

PIECE_BYTES = 256 * 1024

ADD = "insert into upload_pieces (job_id, n, bytes) values ($1, $2, $3)"
PIECES = "select bytes from upload_pieces where job_id = $1 and n between $2 and $3 order by n"
DROP = """
delete from upload_pieces where job_id in (
  select id from jobs where id in (select distinct job_id from upload_pieces)
    and status not in ('queued', 'running'))
"""


async def add(session: AsyncSession, job_id: UUID, n: int, piece: bytes) -> None:
    """Keeps piece `n`: PIECE_BYTES of them, fewer in the last."""
    await execute(session, ADD, job_id, n, piece)


async def window(session: AsyncSession, job_id: UUID, at: int, most: int) -> bytes:
    """The bytes of an upload from `at` on, at most `most`."""
    first, last = at // PIECE_BYTES, (at + most - 1) // PIECE_BYTES
    pieces = [row["bytes"] for row in await fetch(session, PIECES, job_id, first, last)]
    begin = at - first * PIECE_BYTES
    return b"".join(pieces)[begin : begin + most]


async def drop_finished(session: AsyncSession) -> int:
    """Deletes the uploads whose jobs are over; returns how many pieces."""
    return await execute(session, DROP)
