"""Whether the database is the one that said what its topics hold. Until that is known, nothing is written.

A database that was restored from a backup is older than what it has said: it would give ids and invoice numbers a
second time, and others act on things that it does not have. A worker compares (`proforma.history`); the result stands
in the database, and every transaction that writes asks for it.
"""

import time
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch_one
from proforma.errors import Unavailable

# What a restore changes, however it is made: another database, another table in it, or another start of the server.
# A result that was restored with the data therefore holds for nobody.
INCARNATION = """
(select oid from pg_database where datname = current_database()) || '/' || 'outbox'::regclass::oid || '/'
  || extract(epoch from pg_postmaster_start_time())
"""
KNOWN = f"select known_as is not distinct from {INCARNATION} from database_identity"
STATE = f"select known_as is not distinct from {INCARNATION} as known, doubt from database_identity"
MARK = f"""
update database_identity set known_as = {INCARNATION}, doubt = null, doubt_since = null
where doubt is not null or known_as is distinct from {INCARNATION}
"""
DOUBT = """
update database_identity set known_as = null, doubt = $1, doubt_since = coalesce(doubt_since, $2)
where known_as is not null or doubt is distinct from $1
"""
NOT_COMPARED = (
    "not compared with its own topics since the database was started or restored: a worker does that as soon as it"
    " reaches Kafka"
)
_TRUSTED_S = 5


async def why_not(session: AsyncSession) -> str | None:
    """None when the database is known to be complete; otherwise what to say."""
    state = await fetch_one(session, STATE)
    if state is not None and state["known"]:
        return None
    return (state and state["doubt"]) or NOT_COMPARED


async def require(session: AsyncSession) -> None:
    """Raises Unavailable unless the database is known to be complete. For every transaction that writes.

    A connection is asked once in five seconds: who restores a database ends its connections.
    """
    info = (await session.connection()).info
    now = time.monotonic()
    if info.get("known_until", 0) > now:
        return
    why = await why_not(session)
    if why is not None:
        raise Unavailable(f"nothing is written: {why}")
    info["known_until"] = now + _TRUSTED_S


async def mark(session: AsyncSession) -> bool:
    """Keeps that the database was found complete; True when that was not known before."""
    return bool(await execute(session, MARK))


async def doubt(session: AsyncSession, why: str, now: datetime) -> bool:
    """Keeps why it is not, and since when; True when that is new."""
    return bool(await execute(session, DOUBT, why, now))
