"""Contract lines: make, edit, delete, and the check that no work lies on two of them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contract_lines.queries import active_lines, count_lines, get_line, has_work
from billing_backlog.contract_lines.rules import Coverage, Overlap, first_overlap
from billing_backlog.contract_lines.schemas import ContractLineIn, ContractLinePatch
from billing_backlog.contract_lines.tables import ContractLine
from billing_backlog.contracts.queries import lock_terms
from billing_backlog.contracts.service import refuse_closed
from billing_backlog.external_ids import refuse_taken
from billing_backlog.schedules.queries import active_of
from billing_backlog.validity import Validity
from proforma.context import Context
from proforma.errors import Conflict, Invalid
from proforma.http import match

LINES_MAX = 1_000


async def create_lines(
    session: AsyncSession, context: Context, sent: Mapping[str, ContractLineIn]
) -> list[ContractLine]:
    """Makes all of them, by pointer, or none.

    Raises Invalid naming every place that is wrong; Conflict for a closed contract, for a contract with too many
    lines, and for work that would lie on two lines, naming the other one.
    """
    contract_ids = {body.contract_id for body in sent.values()}
    contracts = await lock_terms(session, contract_ids, {body.project for body in sent.values()})
    errors: list[dict[str, Any]] = []
    for at, body in sent.items():
        if body.contract_id not in contracts:
            errors.append({"pointer": f"{at}/contract_id", "detail": f"no contract {body.contract_id}"})
        errors += _validity_errors(body.valid_from, body.valid_to, at)
    if errors:
        raise Invalid("the contract lines are not valid", errors[:100])
    for contract in contracts.values():
        refuse_closed(contract["id"], contract["status"])
    await refuse_taken(session, ContractLine, {at: body.external_id for at, body in sent.items()})
    now = context.clock.now()
    rows = [
        ContractLine(id=new, created_at=now, created_by=context.actor, updated_at=now, **body.model_dump())
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    session.add_all(rows)
    await session.flush()
    await _refuse_too_many(session, contract_ids)
    if any(contract["status"] == "active" for contract in contracts.values()):
        await refuse_overlaps(session, {row.project for row in rows if row.project}, {row.id for row in rows})
    return rows


async def change_line(
    session: AsyncSession, context: Context, line_id: UUID, expected: int | None, patch: ContractLinePatch
) -> ContractLine:
    """Applies an edit; raises NotFound, Stale, Invalid, Conflict (closed, fixed by work, work on two lines)."""
    changes = patch.changes()
    wanted = [changes["project"]] if "project" in changes else []
    row, status = await _lock_line(session, line_id, wanted)
    match(row.version, expected)
    refuse_closed(row.contract_id, status)
    if changes.get("project", row.project) != row.project and await has_work(session, row):
        raise Conflict(f"contract line {line_id} has work on it and keeps its project, {row.project}")
    row.change(changes, context.clock.now())
    errors = _validity_errors(row.valid_from, row.valid_to, "")
    if errors:
        raise Invalid("the contract line is not valid", errors)
    await session.flush()
    if status == "active":
        await refuse_overlaps(session, {row.project} if row.project else (), {row.id})
    return row


async def delete_line(session: AsyncSession, line_id: UUID, expected: int | None) -> None:
    """Deletes a line without work or an active schedule; raises NotFound, Stale, Conflict."""
    row, status = await _lock_line(session, line_id, ())
    match(row.version, expected)
    refuse_closed(row.contract_id, status)
    if await has_work(session, row):
        raise Conflict(f"contract line {line_id} has work on it and cannot be deleted")
    schedule = (await active_of(session, [line_id])).get(line_id)
    if schedule is not None:
        raise Conflict(f"contract line {line_id} has schedule {schedule}: end it first", schedule_id=str(schedule))
    await session.delete(row)
    await session.flush()


async def refuse_overlaps(session: AsyncSession, projects: Collection[str], changed: Collection[UUID]) -> None:
    """Raises Conflict when work of these projects would lie on two lines of active contracts, naming both.

    Call it with the projects locked exclusively and the change written: two edits at once, each blind to the
    other's lines, would otherwise both pass, and the same hours could be billed on two contracts.
    """
    rows = {row["id"]: row for row in await active_lines(session, projects)}
    found = first_overlap(
        Coverage(
            row["id"],
            row["project"],
            frozenset(row["includes"]),
            frozenset(row["tasks"]) if row["tasks"] is not None else None,
            Validity(row["valid_from"], row["valid_to"]),
        )
        for row in rows.values()
    )
    if found is None:
        return
    one, other = found.first.line_id, found.second.line_id
    if one not in changed:
        one, other = other, one
    raise Conflict(
        f"{_described(rows[one])} and {_described(rows[other])} would both take {_work(found)}",
        contract_line_id=str(one),
        other_contract_line_id=str(other),
        other_contract_id=str(rows[other]["contract_id"]),
    )


async def _lock_line(session: AsyncSession, line_id: UUID, also: Collection[str]) -> tuple[ContractLine, str]:
    """The line and its contract's status, as they are once the terms are locked. A line never leaves its contract."""
    contract_id = (await get_line(session, line_id)).contract_id
    contracts = await lock_terms(session, [contract_id], also)
    return await get_line(session, line_id), contracts[contract_id]["status"]


async def _refuse_too_many(session: AsyncSession, contract_ids: Collection[UUID]) -> None:
    for contract_id, lines in (await count_lines(session, contract_ids)).items():
        if lines > LINES_MAX:
            raise Conflict(f"contract {contract_id} would have {lines} lines, {LINES_MAX} at most", "limit_exceeded")


def _validity_errors(first: Any, last: Any, at: str) -> list[dict[str, Any]]:
    if Validity(first, last).in_order:
        return []
    return [{"pointer": f"{at}/valid_to", "detail": f"is before valid_from, {first}"}]


def _described(row: Mapping[str, Any]) -> str:
    return f"contract line {row['id']} ({row['name']}) of contract {row['contract_id']}"


def _work(found: Overlap) -> str:
    task = "any task" if found.task is None else f"task {found.task}"
    day = "" if found.day is None else f", for example on {found.day}"
    return f"{found.item_class} of {task} of project {found.first.project}{day}"
