"""Entries until they are submitted: create, read, edit, delete; and their history for ever."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import pages
from proforma.bodies import Page
from proforma.context import Context, Principal
from proforma.envelope import Event, Outgoing
from proforma.errors import Conflict, Forbidden, Invalid, NotFound
from proforma.http import match
from proforma.settings import Limits
from time_expense.entries import queries
from time_expense.entries.rules import (
    CLASS_RULED,
    EDITABLE,
    Scope,
    difference,
    editing,
    misfits,
    reaches,
    reading,
    wrong_state,
)
from time_expense.entries.schemas import (
    EntryIn,
    EntryOut,
    EntryPatch,
    EntryQuery,
    HistoryOut,
    HistoryQuery,
)
from time_expense.entries.tables import Entry, HistoryRow


def caller(context: Context) -> Principal:
    """Who asks; raises Forbidden for work that nobody asked for."""
    if context.principal is None:
        raise Forbidden("nobody asked for this")
    return context.principal


async def create(session: AsyncSession, context: Context, bodies: Sequence[EntryIn], *, many: bool) -> list[EntryOut]:
    """Makes drafts, all of them or none; `many`: they came as an array, and problems name the index.

    Raises Invalid where two have the same external_id, and where one of an array exists already; Conflict where
    a single one does.
    """
    _refuse_repeats(bodies)
    stamp = queries.Stamp("draft", context.actor, context.clock.now())
    ids = context.once_ids(len(bodies))
    rows = [
        {**body.model_dump(by_alias=True), "id": entry_id, "version": 1}
        for entry_id, body in zip(ids, bodies, strict=True)
    ]
    made = {record["id"]: record for record in await queries.insert(session, stamp, rows)}
    taken = [n for n, entry_id in enumerate(ids) if entry_id not in made]
    if taken and not many:
        raise Conflict(f"an entry with the external_id {bodies[0].external_id} exists already")
    if taken:
        raise Invalid(
            "some exist already",
            [{"pointer": f"/{n}/external_id", "detail": f"{bodies[n].external_id} exists already"} for n in taken],
        )
    await queries.note(session, [noted(entry_id, 1, "draft", "created", stamp) for entry_id in ids])
    return [EntryOut.model_validate(dict(made[entry_id])) for entry_id in ids]


async def show(session: AsyncSession, context: Context, entry_id: UUID) -> EntryOut:
    """One entry; raises NotFound, also for a submitter who asks for somebody else's."""
    return EntryOut.model_validate(await _found(session, entry_id, reading(caller(context))))


async def listed(session: AsyncSession, context: Context, wanted: EntryQuery) -> Page[EntryOut]:
    """One page of entries, by id."""
    query = queries.page(wanted, reading(caller(context)), pages.after_id(wanted.after), wanted.limit)
    found, following = pages.cut(list(await session.scalars(query)), wanted.limit, lambda entry: entry.id)
    return Page(items=[EntryOut.model_validate(entry) for entry in found], next=following)


async def edit(
    session: AsyncSession, context: Context, entry_id: UUID, expected: int | None, body: EntryPatch
) -> EntryOut:
    """Changes a draft or rejected entry; what changes nothing makes no version.

    Raises NotFound, Forbidden, Stale, Conflict in another state, and Invalid where its class does not allow the whole.
    """
    entry = await _to_change(session, context, entry_id, expected, "edit")
    sent = body.changes()
    differences = difference({name: getattr(entry, name) for name in sent}, sent)
    if not differences:
        return EntryOut.model_validate(entry)
    _refuse_misfits(entry, sent)
    for name, value in sent.items():
        setattr(entry, name, value)
    if not reaches(editing(caller(context)), entry):
        raise Forbidden("the entry would be somebody else's: only its new resource could then change it")
    stamp = queries.Stamp(entry.status, context.actor, context.clock.now())
    entry.version += 1
    entry.updated_at = stamp.at
    await session.flush()
    await queries.note(session, [noted(entry_id, entry.version, entry.status, "edited", stamp, differences)])
    return EntryOut.model_validate(entry)


async def delete(session: AsyncSession, context: Context, entry_id: UUID, expected: int | None) -> None:
    """Deletes a draft or rejected entry; its history stays. Raises as `edit` does."""
    entry = await _to_change(session, context, entry_id, expected, "delete")
    stamp = queries.Stamp(entry.status, context.actor, context.clock.now())
    await session.delete(entry)
    await session.flush()
    await queries.note(session, [noted(entry_id, entry.version + 1, entry.status, "deleted", stamp)])


async def history(session: AsyncSession, context: Context, entry_id: UUID, wanted: HistoryQuery) -> Page[HistoryOut]:
    """One page of what happened to an entry, oldest first; a deleted one's too, for who reads everybody's."""
    scope = reading(caller(context))
    if scope != Scope():
        await _found(session, entry_id, scope)
    rows = await queries.history(session, entry_id, pages.number(wanted.after), wanted.limit)
    if not rows and wanted.after is None:
        raise NotFound(f"no entry {entry_id}")
    found, following = pages.cut(rows, wanted.limit, lambda row: row.version)
    return Page(items=[_shown(row) for row in found], next=following)


def noted(
    entry_id: UUID,
    version: int,
    status: str,
    action: str,
    stamp: queries.Stamp,
    changes: Mapping[str, Any] | None = None,
) -> queries.Noted:
    """What made one version of an entry, and the state that it left it in."""
    return queries.Noted(entry_id, version, action, status, stamp.actor, stamp.at, queries.changes(changes or {}))


def told(
    event: type[Event],
    records: Sequence[Mapping[str, Any]],
    text_of: Callable[[Mapping[str, Any]], str],
    limits: Limits,
) -> Iterator[Outgoing]:
    """Events with lists of entries (rows sorted by project): one project each, cut at 500 entries or 512 KiB.

    `text_of` writes an entry as the event's model of one does. To build the list's model as well would write every
    entry twice.
    """
    for project, group in groupby(records, lambda record: str(record["project"])):
        chunk: list[str] = []
        size = 0
        for text in map(text_of, group):
            length = len(text.encode())
            if chunk and (len(chunk) == limits.event_list_max or size + length > limits.chunk_bytes_max):
                yield _event(event, project, chunk)
                chunk, size = [], 0
            chunk.append(text)
            size += length
        yield _event(event, project, chunk)


def _event(event: type[Event], project: str, texts: Sequence[str]) -> Outgoing:
    return Outgoing(event.TOPIC, event.TYPE, project, f'{{"entries":[{",".join(texts)}]}}')


async def _found(session: AsyncSession, entry_id: UUID, scope: Scope, *, lock: bool = False) -> Entry:
    entry = await queries.one(session, entry_id, scope, lock=lock)
    if entry is None:
        raise NotFound(f"no entry {entry_id}")
    return entry


async def _to_change(session: AsyncSession, context: Context, entry_id: UUID, expected: int | None, verb: str) -> Entry:
    who = caller(context)
    entry = await _found(session, entry_id, reading(who), lock=True)
    if not reaches(editing(who), entry):
        raise Forbidden(f"the entry is not yours: {verb} is not possible")
    match(entry.version, expected)
    if entry.status not in EDITABLE:
        raise wrong_state(entry.status, verb)
    return entry


def _shown(row: HistoryRow) -> HistoryOut:
    changes = json.loads(row.changes or "{}")
    real = {name: change for name, change in changes.items() if change["before"] != change["after"]}
    return HistoryOut.model_validate({**row.model_dump(), "changes": real})


def _refuse_misfits(entry: Entry, sent: Mapping[str, Any]) -> None:
    """The class was fixed when the entry was made: what it becomes is held against it as a whole."""
    wrong = misfits(entry.entry_class, {**{name: getattr(entry, name) for name in CLASS_RULED}, **sent})
    if wrong:
        errors = [{"pointer": f"/{name}", "detail": detail} for name, detail in wrong.items()]
        raise Invalid(f"not an entry of the class {entry.entry_class}", errors)


def _refuse_repeats(bodies: Sequence[EntryIn]) -> None:
    seen: set[str] = set()
    errors = []
    for n, body in enumerate(bodies):
        if body.external_id in seen:
            errors.append({"pointer": f"/{n}/external_id", "detail": "the same as an earlier one's"})
        elif body.external_id is not None:
            seen.add(body.external_id)
    if errors:
        raise Invalid("an external_id stands twice", errors)
