"""Customers: make, edit, delete."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.customers.queries import get_customer
from billing_backlog.customers.schemas import CustomerIn, CustomerPatch
from billing_backlog.customers.tables import Customer
from billing_backlog.external_ids import refuse_taken
from proforma.context import Context
from proforma.db import fetch_value
from proforma.errors import Conflict
from proforma.http import match

CONTRACT = "select id from contracts where customer_id = $1 order by id limit 1"


async def create_customers(session: AsyncSession, context: Context, sent: Mapping[str, CustomerIn]) -> list[Customer]:
    """Makes all of them, by pointer, or none; raises Conflict or Invalid for an external id that is taken."""
    await refuse_taken(session, Customer, {at: body.external_id for at, body in sent.items()})
    now = context.clock.now()
    rows = [
        Customer(id=new, created_at=now, created_by=context.actor, updated_at=now, **body.model_dump())
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    session.add_all(rows)
    await session.flush()
    return rows


async def change_customer(
    session: AsyncSession, context: Context, customer_id: UUID, expected: int | None, patch: CustomerPatch
) -> Customer:
    """Applies an edit; raises NotFound, Stale."""
    row = await get_customer(session, customer_id, lock=True)
    match(row.version, expected)
    row.change(patch.changes(), context.clock.now())
    await session.flush()
    return row


async def delete_customer(session: AsyncSession, customer_id: UUID, expected: int | None) -> None:
    """Deletes a customer without a contract; raises NotFound, Stale, Conflict (naming a contract)."""
    row = await get_customer(session, customer_id, lock=True)
    match(row.version, expected)
    # The row lock holds off the foreign key of a contract that is being made: what is not here now cannot come.
    contract = await fetch_value(session, CONTRACT, customer_id)
    if contract is not None:
        raise Conflict(f"customer {customer_id} has contract {contract}", contract_id=str(contract))
    await session.delete(row)
    await session.flush()
