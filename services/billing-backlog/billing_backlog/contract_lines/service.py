"""Contract lines: make, edit, delete, and the check that no work lies on two of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items import service as agreed_items
from billing_backlog.contract_lines.queries import (
    DROP_MILESTONES,
    MILESTONES,
    NOT_UNBILLED,
    active_lines,
    count_lines,
    get_line,
    has_work,
)
from billing_backlog.contract_lines.rules import (
    Coverage,
    Overlap,
    amount_error,
    first_overlap,
    foreign_fields,
    method_errors,
    product_amount,
    task_error,
)
from billing_backlog.contract_lines.schemas import ContractLinePatch, ProductLineIn, ProjectLineIn, in_columns
from billing_backlog.contract_lines.tables import ContractLine
from billing_backlog.contracts.queries import lock_terms
from billing_backlog.contracts.service import refuse_closed
from billing_backlog.external_ids import refuse_taken
from billing_backlog.milestone_schedules.service import milestones_changed
from billing_backlog.schedules.queries import active_of
from billing_backlog.schedules.service import span_changed
from billing_backlog.validity import Validity
from proforma.context import Context
from proforma.db import execute, fetch, fetch_value
from proforma.errors import Conflict, Invalid
from proforma.http import match
from proforma.money import AMOUNT_MAX

LINES_MAX = 1_000


async def create_lines(
    session: AsyncSession, context: Context, sent: Mapping[str, ProjectLineIn | ProductLineIn]
) -> list[ContractLine]:
    """Makes all of them, by pointer, or none; a product line with its item, unbilled.

    Raises Invalid naming every place that is wrong; Conflict for a closed contract, for a contract with too many
    lines, and for work that would lie on two lines, naming the other one.
    """
    contract_ids = {body.contract_id for body in sent.values()}
    projects = {body.project for body in sent.values() if isinstance(body, ProjectLineIn)}
    contracts = await lock_terms(session, contract_ids, projects)
    unknown = [
        {"pointer": f"{at}/contract_id", "detail": f"no contract {body.contract_id}"}
        for at, body in sent.items()
        if body.contract_id not in contracts
    ]
    _refuse(unknown)
    now = context.clock.now()
    rows = [
        ContractLine(id=new, created_at=now, created_by=context.actor, updated_at=now, **body.columns())
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    _refuse(
        [
            error
            for at, row in zip(sent, rows, strict=True)
            for error in _settled(row, contracts[row.contract_id]["currency"], at)
        ]
    )
    for contract in contracts.values():
        refuse_closed(contract["id"], contract["status"])
    await refuse_taken(session, ContractLine, {at: body.external_id for at, body in sent.items()})
    session.add_all(rows)
    await session.flush()
    await _refuse_too_many(session, contract_ids)
    await agreed_items.put(session, context, "product", [row.id for row in rows if row.kind == "product"])
    if any(contract["status"] == "active" for contract in contracts.values()):
        await refuse_overlaps(session, projects, {row.id for row in rows})
    return rows


async def change_line(
    session: AsyncSession, context: Context, line_id: UUID, expected: int | None, patch: ContractLinePatch
) -> ContractLine:
    """Applies an edit; raises NotFound, Stale, Invalid, Conflict (closed, fixed by work, on an invoice, on two lines).

    The item of a product line follows it.
    """
    changes = patch.changes()
    wanted = [changes["project"]] if "project" in changes else []
    row, contract = await _lock_line(session, line_id, wanted)
    match(row.version, expected)
    refuse_closed(row.contract_id, contract["status"])
    _refuse(_errors(foreign_fields(row.kind, changes), ""))
    if row.kind == "product":
        await agreed_items.refuse_frozen(session, "contract line", [line_id])
    if changes.get("project", row.project) != row.project and await has_work(session, row):
        raise Conflict(f"contract line {line_id} has work on it and keeps its project, {row.project}")
    billing_start = row.billing_start
    changed = row.change(in_columns(changes), context.clock.now())
    _refuse(_settled(row, contract["currency"], ""))
    await session.flush()
    if row.kind == "product" and changed:
        await agreed_items.put(session, context, "product", [line_id])
    if contract["status"] == "active":
        await refuse_overlaps(session, {row.project} if row.project else (), {row.id})
    if row.billing_start != billing_start:
        await span_changed(session, context, row.contract_id, line_id)
    return row


async def delete_line(session: AsyncSession, context: Context, line_id: UUID, expected: int | None) -> None:
    """Deletes a line without work or an active schedule, with its milestones or its item.

    Raises NotFound, Stale, Conflict; a milestone that is ready or was billed keeps its line as well.
    """
    row, contract = await _lock_line(session, line_id, ())
    match(row.version, expected)
    refuse_closed(row.contract_id, contract["status"])
    if row.kind == "product":
        await agreed_items.refuse_frozen(session, "contract line", [line_id], deleting=True)
    elif await has_work(session, row):
        raise Conflict(f"contract line {line_id} has work on it and cannot be deleted")
    await _delete_milestones(session, row)
    await milestones_changed(session, context, [line_id])
    schedule = (await active_of(session, [line_id])).get(line_id)
    if schedule is not None:
        raise Conflict(f"contract line {line_id} has schedule {schedule}: end it first", schedule_id=str(schedule))
    await agreed_items.remove(session, [line_id])
    await session.delete(row)
    await session.flush()


async def _delete_milestones(session: AsyncSession, row: ContractLine) -> None:
    held = await fetch_value(session, NOT_UNBILLED, row.id, row.contract_id)
    if held is not None:
        raise Conflict(f"milestone {held} of contract line {row.id} is not unbilled", milestone_id=str(held))
    milestones = [one["id"] for one in await fetch(session, MILESTONES, row.id)]
    await agreed_items.remove(session, milestones)
    await execute(session, DROP_MILESTONES, row.id)


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


async def _lock_line(
    session: AsyncSession, line_id: UUID, also: Collection[str]
) -> tuple[ContractLine, Mapping[str, Any]]:
    """The line and its contract, as they are once the terms are locked. A line never leaves its contract."""
    contract_id = (await get_line(session, line_id)).contract_id
    contracts = await lock_terms(session, [contract_id], also)
    return await get_line(session, line_id), contracts[contract_id]


async def _refuse_too_many(session: AsyncSession, contract_ids: Collection[UUID]) -> None:
    for contract_id, lines in (await count_lines(session, contract_ids)).items():
        if lines > LINES_MAX:
            raise Conflict(f"contract {contract_id} would have {lines} lines, {LINES_MAX} at most", "limit_exceeded")


def _settled(row: ContractLine, currency: str, at: str) -> list[dict[str, Any]]:
    """What is wrong with the line as it would be; a product line gets its amount."""
    errors: dict[str, str | None] = {}
    if not Validity(row.valid_from, row.valid_to).in_order:
        errors["valid_to"] = f"is before valid_from, {row.valid_from}"
    if row.kind == "project":
        errors |= method_errors(row.billing_method, row.includes, row.contracted_amount)
        errors["non_chargeable/tasks"] = task_error(row.tasks, row.non_chargeable_tasks)
        errors.setdefault("contracted_amount", amount_error(row.contracted_amount, currency))
    elif row.quantity is not None and row.price is not None:
        row.amount = product_amount(row.quantity, row.price, currency)
        errors["price"] = None if row.amount is not None else f"quantity × price is more than {AMOUNT_MAX}"
        errors["tax"] = amount_error(row.tax, currency)
    return _errors({name: what for name, what in errors.items() if what is not None}, at)


def _errors(wrong: Mapping[str, str], at: str) -> list[dict[str, Any]]:
    return [{"pointer": f"{at}/{name}", "detail": what} for name, what in wrong.items()]


def _refuse(errors: Sequence[dict[str, Any]]) -> None:
    if errors:
        raise Invalid("the contract lines are not valid", errors[:100])


def _described(row: Mapping[str, Any]) -> str:
    return f"contract line {row['id']} ({row['name']}) of contract {row['contract_id']}"


def _work(found: Overlap) -> str:
    task = "any task" if found.task is None else f"task {found.task}"
    day = "" if found.day is None else f", for example on {found.day}"
    return f"{found.item_class} of {task} of project {found.first.project}{day}"
