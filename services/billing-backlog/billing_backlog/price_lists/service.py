"""Price lists: make, edit, delete."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.external_ids import refuse_taken
from billing_backlog.price_lists.queries import get_price_list, lock_use, overlap_with, rates_of, user_of
from billing_backlog.price_lists.rules import repeated_rates, unfit_for
from billing_backlog.price_lists.schemas import PriceListIn, PriceListPatch, RateIn
from billing_backlog.price_lists.tables import PriceList
from billing_backlog.validity import Validity
from proforma.context import Context
from proforma.db import copy, execute
from proforma.errors import Conflict, Invalid
from proforma.http import match

RATE_FIELDS = ("class", "role", "category", "product", "resource", "unit", "method", "price", "markup_percent")
RATE_COLUMNS = ("id", "price_list_id", *RATE_FIELDS, "created_at")
DROP_RATES = "delete from rates where id = any($1::uuid[])"


async def create_price_lists(
    session: AsyncSession, context: Context, sent: Mapping[str, PriceListIn]
) -> list[PriceList]:
    """Makes all of them, by pointer, with their rates, or none.

    Raises Conflict or Invalid for an external id that is taken, Invalid naming every place that is wrong.
    """
    errors: list[dict[str, Any]] = []
    for at, body in sent.items():
        errors += _validity_errors(Validity(body.valid_from, body.valid_to), at) + _rate_errors(
            body.kind, body.rates, at
        )
    if errors:
        raise Invalid("the price lists are not valid", errors[:100])
    await refuse_taken(session, PriceList, {at: body.external_id for at, body in sent.items()})
    now = context.clock.now()
    rows = [
        PriceList(
            id=new, created_at=now, created_by=context.actor, updated_at=now, **body.model_dump(exclude={"rates"})
        )
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    session.add_all(rows)
    await session.flush()
    rates = [(row.id, rate) for row, body in zip(rows, sent.values(), strict=True) for rate in body.rates]
    await _add_rates(session, context, rates)
    return rows


async def change_price_list(
    session: AsyncSession, context: Context, price_list_id: UUID, expected: int | None, patch: PriceListPatch
) -> PriceList:
    """Applies an edit; raises NotFound, Stale, Invalid, and Conflict where a contract's terms would break."""
    changes = patch.changes()
    rates: list[RateIn] | None = changes.pop("rates", None)
    terms = changes.keys() & {"kind", "currency", "valid_from", "valid_to"}
    if terms:
        await lock_use(session, shared=False)
    row = await get_price_list(session, price_list_id, lock=True)
    match(row.version, expected)
    kind = changes.get("kind", row.kind)
    errors = _rate_errors(kind, rates or [], "")
    if rates is None and kind != row.kind:
        await _refuse_kept_rates(session, price_list_id, kind)
    if any(changes.get(name, getattr(row, name)) != getattr(row, name) for name in ("kind", "currency")):
        await _refuse_used(session, price_list_id, "keeps its kind and currency")
    changed = row.change(changes, context.clock.now())
    errors += _validity_errors(Validity(row.valid_from, row.valid_to), "")
    if errors:
        raise Invalid("the price list is not valid", errors[:100])
    await session.flush()
    if terms:
        await _refuse_overlap(session, row)
    if rates is not None and await _replace_rates(session, context, row.id, rates) and not changed:
        row.touch(context.clock.now())
        await session.flush()
    return row


async def delete_price_list(session: AsyncSession, price_list_id: UUID, expected: int | None) -> None:
    """Deletes a list that no contract names, with its rates; raises NotFound, Stale, Conflict (naming a contract)."""
    await lock_use(session, shared=False)
    row = await get_price_list(session, price_list_id, lock=True)
    match(row.version, expected)
    await _refuse_used(session, price_list_id, "cannot be deleted")
    await session.delete(row)
    await session.flush()


async def _refuse_used(session: AsyncSession, price_list_id: UUID, what: str) -> None:
    user = await user_of(session, price_list_id)
    if user is not None:
        raise Conflict(f"price list {price_list_id} {what}: contract {user} uses it", contract_id=str(user))


async def _refuse_overlap(session: AsyncSession, row: PriceList) -> None:
    found = await overlap_with(session, row.id, row.valid_from, row.valid_to)
    if found is not None:
        contract, other = str(found["contract_id"]), str(found["price_list_id"])
        detail = f"its validity would overlap that of price list {other}, which contract {contract} uses too"
        raise Conflict(detail, contract_id=contract, price_list_id=other)


def _validity_errors(validity: Validity, at: str) -> list[dict[str, Any]]:
    if validity.in_order:
        return []
    return [{"pointer": f"{at}/valid_to", "detail": f"is before valid_from, {validity.first}"}]


def _rate_errors(kind: str, rates: Sequence[RateIn], at: str) -> list[dict[str, Any]]:
    errors = [
        {"pointer": f"{at}/rates/{n}", "detail": f"for the same work as {at}/rates/{first}"}
        for n, first in repeated_rates([rate.key for rate in rates])
    ]
    for n, rate in enumerate(rates):
        for name, what in unfit_for(kind, rate.item_class, rate.method).items():
            errors.append({"pointer": f"{at}/rates/{n}/{name}", "detail": what})
    return errors


async def _refuse_kept_rates(session: AsyncSession, price_list_id: UUID, kind: str) -> None:
    for rate in (await rates_of(session, [price_list_id]))[price_list_id]:
        for what in unfit_for(kind, rate["class"], rate["method"]).values():
            raise Invalid.field("/kind", what)


async def _add_rates(session: AsyncSession, context: Context, rates: Sequence[tuple[UUID, RateIn]]) -> None:
    now = context.clock.now()
    rows = [(context.ids(), price_list_id, *_figures(rate), now) for price_list_id, rate in rates]
    await copy(session, "rates", RATE_COLUMNS, rows)


async def _replace_rates(session: AsyncSession, context: Context, price_list_id: UUID, rates: Sequence[RateIn]) -> bool:
    """Makes `rates` the list's rates; False when they were already.

    A rate that stays keeps its row: postings name the rate that they were priced by.
    """
    held = {
        tuple(row[name] for name in RATE_FIELDS): row["id"]
        for row in (await rates_of(session, [price_list_id]))[price_list_id]
    }
    wanted = {_figures(rate): rate for rate in rates}
    gone = [rate_id for key, rate_id in held.items() if key not in wanted]
    new = [(price_list_id, rate) for key, rate in wanted.items() if key not in held]
    await execute(session, DROP_RATES, gone)
    await _add_rates(session, context, new)
    return bool(gone or new)


def _figures(rate: RateIn) -> tuple[object, ...]:
    return *rate.key, rate.method, rate.price, rate.markup_percent
