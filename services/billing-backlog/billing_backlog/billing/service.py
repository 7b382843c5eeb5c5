"""A first billing: items, milestones, product lines and hand-added details become billed rows."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.billing import queries
from billing_backlog.billing.rules import Billed, Rest, of_kind, rest_of
from billing_backlog.ledger import service as ledger
from billing_backlog.ledger.service import NewActual
from proforma.context import Context
from proforma.db import fetch
from proforma.events.invoicing import ConfirmedDetail, DetailCoding, DetailFigures, returned_item_id

Posted = tuple[set[UUID], list[UUID]]
"""(details that are posted now, rows that are still to be told)"""

_CODING = (
    "project", "task", "resource", "role", "category", "product", "description", "external_description",
)  # fmt: skip


async def post(session: AsyncSession, context: Context, details: Sequence[Billed]) -> Posted:
    """Posts what matches; the contracts and the postings are locked by the caller.

    A detail that matches nothing, or whose item is gone, is not posted: the caller names it.
    """
    done, told = await _post_items(session, context, of_kind(details, "item"))
    for kind in (_post_sourced, _post_hand, _write_off):
        more, rows = await kind(session, context, details)
        done |= more
        told += rows
    returning = [one for one in details if one.detail.remainder == "return" and one.detail.detail_id in done]
    rests = [(one, rest_of(_was(one.detail), one.detail.now, one.currency)) for one in returning]
    await give_back(session, context, "confirm", [(one, rest) for one, rest in rests if rest is not None])
    return done, told


async def give_back(session: AsyncSession, context: Context, cause: str, rests: Sequence[tuple[Billed, Rest]]) -> None:
    """Opens what is left of billed work as items again, not ready, with the coding of the row that was billed.

    The rows of the details in `rests` are in the ledger, whichever statement put them there: at zero it is the
    original's row that has the coding. What comes back to a closed contract is canceled at once: nobody would bill it.
    """
    if not rests:
        return
    sources = [one.detail.original_detail_id or one.detail.detail_id for one, _ in rests]
    coding = {row["invoice_detail_id"]: row for row in await fetch(session, queries.CODING, sources)}
    rows = [
        _returned(context, cause, returned_item_id(one.detail.detail_id), coding[source], rest)
        for (one, rest), source in zip(rests, sources, strict=True)
    ]
    await ledger.post(session, context, rows)
    await ledger.cancel_on_closed(session, context, [row.id for row in rows])


def _returned(context: Context, cause: str, item_id: UUID, source: Any, rest: Rest) -> NewActual:
    return NewActual(
        id=item_id, type="unbilled_sales", item_class=source["class"], billing_type=rest.billing_type, cause=cause,
        date=source["date"], accounting_date=context.clock.now().date(), quantity=rest.quantity, unit=source["unit"],
        price=rest.price, amount=rest.amount, tax=rest.tax, currency=source["currency"], rate_id=source["rate_id"],
        exchange_rate_id=source["exchange_rate_id"], contract_id=source["contract_id"],
        contract_line_id=source["contract_line_id"], entry_id=source["entry_id"],
        entry_revision=source["entry_revision"], journal_line_id=source["journal_line_id"], billing_status="unbilled",
        # At the first billing the unbilled row is what is split, at a correction the billed one.
        replaces=source["replaces"] if cause == "confirm" else source["id"],
        has_cost_price=source["costed"], **{name: source[name] for name in _CODING},
    )  # fmt: skip


def _was(detail: ConfirmedDetail) -> DetailFigures:
    return detail.was if detail.was is not None else detail.now


async def _post_items(session: AsyncSession, context: Context, details: Sequence[Billed]) -> Posted:
    if not details:
        return set(), []
    was = [_was(one.detail) for one in details]
    rows = await fetch(
        session, queries.POST, *_columns(details, "item_id", "claim_id"),
        [context.ids() for _ in details], [context.ids() for _ in details],
        [one.quantity for one in was], [one.price for one in was], [one.amount for one in was],
        [one.billing_type for one in was], *figures(details),
        [one.detail.was != one.detail.now for one in details], context.clock.now(),
    )  # fmt: skip
    return {row["detail_id"] for row in rows}, [row[name] for name in ("reversal_id", "billed_id") for row in rows]


async def _post_sourced(session: AsyncSession, context: Context, details: Sequence[Billed]) -> Posted:
    some = of_kind(details, "sourced")
    return await _insert(
        session, queries.POST_SOURCED, some, lambda: (
            *_columns(some, "item_id", "claim_id"), [context.ids() for _ in some],
            [_was(one.detail).amount for one in some], *figures(some), context.clock.now(),
        ),
    )  # fmt: skip


async def _post_hand(session: AsyncSession, context: Context, details: Sequence[Billed]) -> Posted:
    some = of_kind(details, "hand")
    coded = [one.detail.coding or DetailCoding(date=context.clock.now().date(), unit="each") for one in some]
    now = [one.detail.now for one in some]
    return await _insert(
        session, queries.POST_HAND, some, lambda: (
            *_columns(some, "contract_line_id"), [context.ids() for _ in some],
            [one.detail.item_class for one in some], [one.billing_type for one in now], [one.date for one in coded],
            [one.unit for one in coded], [one.quantity for one in now], [one.price for one in now],
            [one.amount for one in now], [one.tax for one in now],
            *([getattr(one, name) for one in coded] for name in _CODING), context.clock.now(),
        ),
    )  # fmt: skip


async def _write_off(session: AsyncSession, context: Context, details: Sequence[Billed]) -> Posted:
    some = of_kind(details, "written_off")
    return await _insert(
        session, queries.WRITE_OFF, some, lambda: (
            *_columns(some, "written_off_from"), [context.ids() for _ in some], *figures(some), context.clock.now(),
        ),
    )  # fmt: skip


async def _insert(
    session: AsyncSession, sql: str, details: Sequence[Billed], arguments: Callable[[], tuple[Any, ...]]
) -> Posted:
    if not details:
        return set(), []
    rows = await fetch(session, sql, *arguments())
    return {row["invoice_detail_id"] for row in rows}, [row["id"] for row in rows]


def _columns(details: Sequence[Billed], *names: str) -> list[list[Any]]:
    """Invoice, detail, and these fields of the details, each as a column."""
    columns = [[getattr(one.detail, name) for one in details] for name in names]
    return [[one.invoice_id for one in details], [one.detail.detail_id for one in details], *columns]


def figures(details: Sequence[Billed]) -> list[list[Any]]:
    """Quantity, price, amount, tax and billing type as they are billed, each as a column."""
    names = ("quantity", "price", "amount", "tax", "billing_type")
    return [[getattr(one.detail.now, name) for one in details] for name in names]
