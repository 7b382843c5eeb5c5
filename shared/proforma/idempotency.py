"""Idempotency keys: the row is inserted first, in the effect's own transaction."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from proforma.context import Context
from proforma.db import execute, fetch_one
from proforma.errors import InProgress, Invalid, KeyReused

_KEY_MAX = 255
_KEPT_HEADERS = ("etag", "location", "content-type")

INSERT = """
insert into idempotency_keys (principal, method, path, key, body_hash, created_at) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
"""
FIND = """
select body_hash, status, headers, body from idempotency_keys
where principal = $1 and method = $2 and path = $3 and key = $4
"""
KEEP = """
update idempotency_keys set status = $5, headers = $6, body = $7
where principal = $1 and method = $2 and path = $3 and key = $4
"""
FORGET = "delete from idempotency_keys where principal = $1 and method = $2 and path = $3 and key = $4"
PURGE = """
delete from idempotency_keys where (principal, method, path, key) in (
  select principal, method, path, key from idempotency_keys where created_at < $1 limit 5000)
"""


class Replayed(Exception):
    """The call was answered before; `response` is that answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("replayed")
        self.response = response


def key_of(request: Request) -> str | None:
    """The Idempotency-Key header; raises Invalid when it is empty, too long or not printable."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= _KEY_MAX or not key.isprintable():
        raise Invalid.field("/headers/Idempotency-Key", f"1 to {_KEY_MAX} printable characters")
    return key


async def begin(session: AsyncSession, context: Context, request: Request, body: bytes) -> None:
    """Takes the key for this transaction; raises Replayed with the stored answer of the first call.

    The insert waits while another transaction holds the same key uncommitted, at most as long as the lock time-out
    set here: so two calls at once have one effect, and a crash of the first leaves nothing behind.
    """
    key = context.idempotency_key
    if key is None:
        return
    identity = (context.actor, request.method, request.url.path, key)
    digest = hashlib.sha256(request.url.query.encode() + b"\n" + body).digest()
    await execute(session, f"set local lock_timeout = '{context.limits.idempotency_wait_s}s'")
    try:
        inserted = await execute(session, INSERT, *identity, digest, context.clock.now())
    except asyncpg.LockNotAvailableError as error:
        raise InProgress("the first call with this Idempotency-Key is still running") from error
    if inserted:
        await execute(session, "set local lock_timeout to default")
        request.state.idempotency = identity
        return
    stored = await fetch_one(session, FIND, *identity)
    if stored is None or stored["status"] is None:
        raise InProgress("the first call with this Idempotency-Key is still running")
    if stored["body_hash"] != digest:
        raise KeyReused("the Idempotency-Key was sent before with another body")
    headers = {**json.loads(stored["headers"]), "Idempotency-Replayed": "true"}
    raise Replayed(Response(stored["body"], stored["status"], headers))


async def keep(session: AsyncSession, identity: tuple[str, str, str, str], response: Response) -> None:
    """Stores a 2xx answer beside the effect; with any other the key is free again: next time it may be another."""
    if response.status_code // 100 != 2:  # noqa: PLR2004 - 2xx
        await execute(session, FORGET, *identity)
        return
    headers: dict[str, Any] = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    await execute(session, KEEP, *identity, response.status_code, json.dumps(headers), bytes(response.body))


async def purge(session: AsyncSession, now: datetime, keep_days: int) -> int:
    """Forgets up to 5,000 keys older than the promised days; returns how many."""
    return await execute(session, PURGE, now - timedelta(days=keep_days))
