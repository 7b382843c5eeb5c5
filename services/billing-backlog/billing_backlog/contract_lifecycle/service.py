"""Activating and closing contracts: a noun above the lines and the ledger, which both read contracts."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contract_lifecycle.rules import FROM_TO, Verb, next_status
from billing_backlog.contract_lines.queries import projects_of
from billing_backlog.contract_lines.service import refuse_overlaps
from billing_backlog.contracts.queries import get_contract, lock_terms
from billing_backlog.contracts.tables import Contract
from billing_backlog.ledger.service import close_contract_items
from billing_backlog.schedules import service as schedules
from proforma.context import Context
from proforma.errors import Conflict
from proforma.http import match


async def activate(session: AsyncSession, context: Context, contract_id: UUID, expected: int | None) -> Contract:
    """Draft → active: approvals find its lines from now on, its schedules are told. Work approved before stays.

    Raises NotFound, Stale, and Conflict: not a draft, no line, or work that would lie on two lines.
    """
    row = await _step(session, context, contract_id, expected, "activate")
    lines = await projects_of(session, contract_id)
    if not lines:
        raise Conflict(f"contract {contract_id} has no line: add one first", state="draft")
    await refuse_overlaps(session, {project for project in lines.values() if project}, lines.keys())
    await schedules.announce(session, context, contract_id)
    return row


async def close(session: AsyncSession, context: Context, contract_id: UUID, expected: int | None) -> Contract:
    """Active → closed: what is not on an invoice is reversed, its schedules end, nothing more is billed.

    Raises NotFound, Stale, and Conflict when it is not active.
    """
    row = await _step(session, context, contract_id, expected, "close")
    # Last: they emit, which belongs behind the contract's lock and its new status.
    await schedules.end_all(session, context, contract_id)
    await close_contract_items(session, context, contract_id)
    return row


async def _step(
    session: AsyncSession, context: Context, contract_id: UUID, expected: int | None, verb: Verb
) -> Contract:
    await lock_terms(session, [contract_id])
    row = await get_contract(session, contract_id)
    match(row.version, expected)
    after = next_status(row.status, verb)
    if after is None:
        allowed = FROM_TO[verb][0]
        raise Conflict(
            f"contract {contract_id} is {row.status}: only {allowed} ones", state=row.status, allowed=[allowed]
        )
    row.change({"status": after}, context.clock.now())
    await session.flush()
    return row
