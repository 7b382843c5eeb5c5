"""Contracts: make a draft, edit the terms. Activation and closing are `contract_lifecycle`."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contracts.queries import get_contract, has_amounts, has_work, lock_terms
from billing_backlog.contracts.rules import ListTerms, price_list_errors
from billing_backlog.contracts.schemas import ContractIn, ContractPatch
from billing_backlog.contracts.tables import Contract
from billing_backlog.customers.queries import known_customers
from billing_backlog.external_ids import refuse_taken
from billing_backlog.price_lists.queries import lock_use, terms_of
from billing_backlog.schedules.service import span_changed, time_zone_changed
from billing_backlog.validity import Validity
from proforma.context import Context
from proforma.errors import Conflict, Invalid
from proforma.http import match

PRICED_BY = frozenset({"currency", "sales_price_list_ids", "cost_price_list_id"})
FIXED_BY_WORK = ("customer_id", "currency", "time_zone")


async def create_contracts(session: AsyncSession, context: Context, sent: Mapping[str, ContractIn]) -> list[Contract]:
    """Makes all of them, by pointer, as drafts, or none.

    Raises Conflict or Invalid for an external id that is taken, Invalid naming every place that is wrong.
    """
    now = context.clock.now()
    rows = [
        Contract(id=new, created_at=now, created_by=context.actor, updated_at=now, **body.model_dump())
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    await lock_use(session, shared=True)
    await _refuse_wrong(session, dict(zip(sent, rows, strict=True)))
    await refuse_taken(session, Contract, {at: body.external_id for at, body in sent.items()})
    session.add_all(rows)
    await session.flush()
    return rows


async def change_contract(
    session: AsyncSession, context: Context, contract_id: UUID, expected: int | None, patch: ContractPatch
) -> Contract:
    """Applies an edit of the terms; raises NotFound, Stale, Invalid, Conflict (closed, or fixed by work)."""
    changes = patch.changes()
    if changes.keys() & PRICED_BY:
        await lock_use(session, shared=True)
    await lock_terms(session, [contract_id])
    row = await get_contract(session, contract_id)
    match(row.version, expected)
    refuse_closed(row.id, row.status)
    await _refuse_fixed(session, row, changes)
    zone, end_date = row.time_zone, row.end_date
    row.change(changes, context.clock.now())
    if changes.keys() & (PRICED_BY | {"customer_id"}):
        await _refuse_wrong(session, {"": row})
    await session.flush()
    if row.time_zone != zone and row.status == "active":
        await time_zone_changed(session, context, contract_id)
    elif (row.time_zone, row.end_date) != (zone, end_date):
        await span_changed(session, context, contract_id)
    return row


def refuse_closed(contract_id: UUID, status: str) -> None:
    """Raises Conflict for a closed contract: nothing about it changes any more."""
    if status == "closed":
        raise Conflict(f"contract {contract_id} is closed", state=status, allowed=["draft", "active"])


async def _refuse_fixed(session: AsyncSession, row: Contract, changes: Mapping[str, Any]) -> None:
    # Rows of the ledger carry their currency, days and customers were decided by these: they would no longer agree.
    fixed = [name for name in FIXED_BY_WORK if changes.get(name, getattr(row, name)) != getattr(row, name)]
    if fixed and await has_work(session, row.id):
        raise Conflict(f"contract {row.id} has work on it, which fixes its {' and '.join(fixed)}")
    if "currency" in fixed and await has_amounts(session, row.id):
        raise Conflict(f"a line of contract {row.id} has a contracted amount in {row.currency}, which fixes it")


async def _refuse_wrong(session: AsyncSession, rows: Mapping[str, Contract]) -> None:
    customers = await known_customers(session, [row.customer_id for row in rows.values()])
    lists = {
        price_list_id: ListTerms(terms["kind"], terms["currency"], Validity(terms["valid_from"], terms["valid_to"]))
        for price_list_id, terms in (await terms_of(session, list(_lists_of(rows.values())))).items()
    }
    errors: list[dict[str, Any]] = []
    for at, row in rows.items():
        if row.customer_id not in customers:
            errors.append({"pointer": f"{at}/customer_id", "detail": f"no customer {row.customer_id}"})
        found = price_list_errors(row.currency, row.sales_price_list_ids, row.cost_price_list_id, lists)
        errors += [{**error, "pointer": at + error["pointer"]} for error in found]
    if errors:
        raise Invalid("the contract's terms are not valid", errors[:100])


def _lists_of(rows: Iterable[Contract]) -> Iterable[UUID]:
    for row in rows:
        yield from row.sales_price_list_ids
        if row.cost_price_list_id is not None:
            yield row.cost_price_list_id
