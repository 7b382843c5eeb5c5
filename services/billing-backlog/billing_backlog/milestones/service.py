"""Milestones: make, edit, delete, mark ready. Each has its item under its own id while it is not billed.

All of it happens behind the contract's lock, which a claim takes too: what is claimed is what was agreed (design §5.5).
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items import service as agreed_items
from billing_backlog.backlog import service as backlog
from billing_backlog.backlog.schemas import BulkIn, ItemFilter
from billing_backlog.backlog.service import Move, MoveJob
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.contracts.service import refuse_closed
from billing_backlog.external_ids import refuse_taken
from billing_backlog.milestone_schedules.service import milestones_changed
from billing_backlog.milestones.queries import counts, get_milestone, lines_of
from billing_backlog.milestones.rules import MILESTONES_MAX, amount_errors
from billing_backlog.milestones.schemas import MilestoneIn, MilestonePatch, MilestonesIn
from billing_backlog.milestones.tables import Milestone
from proforma.bodies import BulkResult, JobOut
from proforma.context import Context
from proforma.errors import Conflict, Invalid
from proforma.http import match

READY = Move("mark-ready", "unbilled", "ready", "milestone", "milestones")
UNREADY = Move("unmark-ready", "ready", "unbilled", "milestone", "milestones")


async def create_milestones(session: AsyncSession, context: Context, sent: Mapping[str, MilestoneIn]) -> list[UUID]:
    """Makes all of them, by pointer, unbilled, or none; returns their ids in order.

    Raises Invalid naming every place that is wrong; Conflict for a closed contract, a line with too many
    (`limit_exceeded`), or, where one was sent, an external id that is taken.
    """
    line_ids = {body.contract_line_id for body in sent.values()}
    await lock_contracts(session, {line["contract_id"] for line in (await lines_of(session, line_ids)).values()})
    # Again behind the locks: a line that was deleted meanwhile would get milestones of nothing.
    lines = await lines_of(session, line_ids)
    errors = [error for at, body in sent.items() for error in _errors(body, lines.get(body.contract_line_id), at)]
    if errors:
        raise Invalid("the milestones are not valid", errors[:100])
    for line in lines.values():
        refuse_closed(line["contract_id"], line["status"])
    await refuse_taken(session, Milestone, {at: body.external_id for at, body in sent.items()})
    now, ids = context.clock.now(), context.once_ids(len(sent))
    session.add_all(
        Milestone(
            id=new, contract_id=lines[body.contract_line_id]["contract_id"], created_at=now,
            created_by=context.actor, updated_at=now, **body.model_dump(),
        )
        for new, body in zip(ids, sent.values(), strict=True)
    )  # fmt: skip
    await session.flush()
    for line_id, n in (await counts(session, line_ids)).items():
        if n > MILESTONES_MAX:
            detail = f"contract line {line_id} would have {n} milestones, {MILESTONES_MAX} at most"
            raise Conflict(detail, "limit_exceeded")
    await agreed_items.put(session, context, "milestone", ids)
    await milestones_changed(session, context, line_ids)
    return ids


async def change_milestone(
    session: AsyncSession, context: Context, milestone_id: UUID, expected: int | None, patch: MilestonePatch
) -> None:
    """Applies an edit, its item with it; raises NotFound, Stale, Invalid, and Conflict (closed, or on an invoice)."""
    changes = patch.changes()
    row, currency = await _lock(session, milestone_id, expected)
    await agreed_items.refuse_frozen(session, "milestone", [milestone_id])
    errors = amount_errors({name: changes[name] for name in ("amount", "tax") if name in changes}, currency, "")
    if errors:
        raise Invalid("the milestone is not valid", errors)
    if row.change(changes, context.clock.now()):
        await session.flush()
        await agreed_items.put(session, context, "milestone", [milestone_id])
        await milestones_changed(session, context, [row.contract_line_id])


async def delete_milestone(session: AsyncSession, context: Context, milestone_id: UUID, expected: int | None) -> None:
    """Deletes a milestone that was never billed, with its item; raises NotFound, Stale, Conflict."""
    row, _ = await _lock(session, milestone_id, expected)
    await agreed_items.refuse_frozen(session, "milestone", [milestone_id], deleting=True)
    await agreed_items.remove(session, [milestone_id])
    await session.delete(row)
    await session.flush()
    await milestones_changed(session, context, [row.contract_line_id])


async def mark(session: AsyncSession, context: Context, body: MilestonesIn, verb: Move) -> BulkResult | JobOut:
    """Moves milestones between unbilled and ready, as the backlog moves its items; above 1,000 as a job."""
    wanted = ItemFilter(**body.filter.model_dump()) if body.filter is not None else None
    return await backlog.bulk(session, context, BulkIn(ids=body.ids, filter=wanted), verb)


async def _lock(session: AsyncSession, milestone_id: UUID, expected: int | None) -> tuple[Milestone, str]:
    """The milestone, and its contract's currency, as they are behind the contract's lock; it never leaves it."""
    contract_id = (await get_milestone(session, milestone_id)).contract_id
    (contract,) = await lock_contracts(session, [contract_id])
    row = await get_milestone(session, milestone_id)
    match(row.version, expected)
    refuse_closed(contract_id, contract["status"])
    return row, contract["currency"]


def _errors(body: MilestoneIn, line: asyncpg.Record | None, at: str) -> list[dict[str, Any]]:
    if line is None:
        return [{"pointer": f"{at}/contract_line_id", "detail": f"no contract line {body.contract_line_id}"}]
    if line["billing_method"] != "fixed_price":
        return [{"pointer": f"{at}/contract_line_id", "detail": "only a fixed-price line has milestones"}]
    return amount_errors({"amount": body.amount, "tax": body.tax}, line["currency"], at)


JOBS = (MoveJob(READY), MoveJob(UNREADY))
