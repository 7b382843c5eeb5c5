"""Submit, recall, approve, reject, cancel-approval: one entry, many, or a job's worth of them.

Approvals are said to the ledger; whether one may be canceled is asked of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs, outbox
from proforma.bodies import BulkResult, JobOut, Refusal
from proforma.context import Context
from proforma.envelope import Outgoing
from proforma.errors import Conflict, Forbidden, NotFound, Problem
from proforma.events.time_expense import ApprovedEntry, EntriesApproved
from proforma.http import match
from proforma.settings import Limits
from time_expense.approvals import queries
from time_expense.approvals.rules import MOVES, NOTHING_SET, Override, Refused, Standing, Verb, acting, judge
from time_expense.cancellations import service as cancellations
from time_expense.entries.rules import Scope, allowed, reading
from time_expense.entries.schemas import EntryFilter, EntryOut
from time_expense.entries.service import caller, told


@dataclass(frozen=True, slots=True)
class Action:
    """A verb with what it needs. `override` is for every entry, `overrides` for some."""

    verb: Verb
    reason: str | None = None
    override: Override = NOTHING_SET
    overrides: Mapping[UUID, Override] = field(default_factory=dict)

    def of(self, entry_id: UUID) -> Override:
        """What is set for one entry: its own word before the call's."""
        own = self.overrides.get(entry_id, self.override)
        billable = own.billable_quantity if own.billable_quantity is not None else self.override.billable_quantity
        return Override(billable, own.billing_type or self.override.billing_type)


async def move_one(
    session: AsyncSession, context: Context, action: Action, entry_id: UUID, expected: int | None
) -> EntryOut:
    """Moves one entry. Raises NotFound, Forbidden, Stale, and Conflict in another state than the verb needs."""
    found = await queries.lock(session, [entry_id])
    if not found:
        raise NotFound(f"no entry {entry_id}")
    entry = found[0]
    verdict = judge(action.verb, entry, caller(context), action.of(entry_id), self_approval=context.self_approval)
    if isinstance(verdict, Refused) and verdict.reason != "wrong_state":
        raise _refusal(verdict, entry_id)
    match(entry.version, expected)
    if verdict != "change":
        raise _conflict(action.verb, entry)
    moved = await _move(session, context, action, found)
    return EntryOut.model_validate(moved[0])


async def move_many(session: AsyncSession, context: Context, action: Action, ids: Sequence[UUID]) -> BulkResult:
    """Moves those of `ids` that may be moved; every other one is unchanged or refused with its reason."""
    who = caller(context)
    distinct = list(dict.fromkeys(ids))
    found = {entry.id: entry for entry in await queries.lock(session, distinct)}
    going: list[Standing] = []
    unchanged = 0
    refused: list[Refusal] = []
    for entry_id in distinct:
        entry = found.get(entry_id)
        if entry is None:
            refused.append(Refusal(id=entry_id, reason="not_found", detail="no such entry"))
            continue
        verdict = judge(action.verb, entry, who, action.of(entry_id), self_approval=context.self_approval)
        if isinstance(verdict, Refused):
            refused.append(Refusal(id=entry_id, reason=verdict.reason, detail=verdict.detail))
        elif verdict == "unchanged":
            unchanged += 1
        else:
            going.append(entry)
    await _move(session, context, action, going)
    return BulkResult(changed=len(going), unchanged=unchanged, refused=refused)


async def move_matching(
    session: AsyncSession, context: Context, action: Action, wanted: EntryFilter
) -> BulkResult | JobOut:
    """Moves what a filter finds within the caller's reach; over more than 1,000 entries it is a job.

    Raises Forbidden when the filter names a project that the caller's token does not.
    """
    scope = reach(context, action.verb)
    if wanted.project is not None and scope.projects is not None and wanted.project not in scope.projects:
        raise Forbidden(f"project {wanted.project} is not among the token's projects")
    most = context.limits.batch_max
    ids = await queries.ids_of(session, wanted, scope, most + 1)
    if len(ids) <= most:
        return await move_many(session, context, action, ids)
    return await jobs.start(session, context, job_name(action.verb), _params(action, wanted))


def reach(context: Context, verb: Verb) -> Scope:
    """What a filter of this caller is narrowed to: what they see and may move."""
    who = caller(context)
    seen, movable = reading(who), acting(verb, who)
    return Scope(own_of=movable.own_of or seen.own_of, projects=movable.projects)


def job_name(verb: Verb) -> str:
    """The kind of the job that moves many by this verb."""
    return f"entries.{verb}"


def approved_events(records: Sequence[Mapping[str, Any]], limits: Limits) -> Iterator[Outgoing]:
    """The events of approved entries (rows sorted by project)."""
    return told(EntriesApproved, records, _approved, limits)


def _approved(record: Mapping[str, Any]) -> str:
    decision = {"approved_by": record["decided_by"], "approved_at": record["decided_at"]}
    return ApprovedEntry.model_validate({**record, **decision}).model_dump_json()


async def _move(
    session: AsyncSession, context: Context, action: Action, entries: Sequence[Standing]
) -> list[dict[str, Any]]:
    if not entries:
        return []
    if action.verb == "cancel-approval":
        asked = await cancellations.ask(session, context, [entry.id for entry in entries], action.reason or "")
        return [dict(record) for record in asked]
    wanted = [(entry.id, action.of(entry.id)) for entry in entries]
    now = context.clock.now()
    records = await queries.move(session, action.verb, wanted, context.actor, now, action.reason)
    if action.verb == "approve":
        await outbox.emit(session, context, list(approved_events(records, context.limits)))
    return [dict(record) for record in records]


def _refusal(verdict: Refused, entry_id: UUID) -> Problem:
    if verdict.reason == "not_found":
        return NotFound(f"no entry {entry_id}")
    return Forbidden(verdict.detail, reason=verdict.reason)


def _conflict(verb: Verb, entry: Standing) -> Conflict:
    sources = " or ".join(sorted(MOVES[verb].sources))
    return Conflict(
        f"the entry is {entry.status}; {verb} needs {sources}", state=entry.status, allowed=allowed(entry.status)
    )


def _params(action: Action, wanted: EntryFilter) -> dict[str, Any]:
    billable = action.override.billable_quantity
    return {
        "filter": wanted.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "reason": action.reason,
        "billable_quantity": None if billable is None else str(billable),
        "billing_type": action.override.billing_type,
    }
