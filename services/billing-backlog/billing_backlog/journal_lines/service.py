"""Journal lines: make, and take back while no invoice has them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.external_ids import refuse_taken
from billing_backlog.journal_lines.queries import get_journal_line, terms_of
from billing_backlog.journal_lines.rules import LineTerms, Wrong, wrong
from billing_backlog.journal_lines.schemas import JournalLineIn
from billing_backlog.journal_lines.tables import JournalLine
from billing_backlog.ledger import service as ledger
from billing_backlog.ledger.service import NewActual
from billing_backlog.withdrawals.queries import of_journal_lines
from billing_backlog.withdrawals.rules import held
from billing_backlog.withdrawals.service import take_back
from proforma.context import Context
from proforma.errors import Conflict, Invalid
from proforma.http import match
from proforma.money import amount_of

UNITS = {"time": "hour"}

Terms = Mapping[UUID, Mapping[str, Any]]
"""By contract line."""


async def create(session: AsyncSession, context: Context, sent: Mapping[str, JournalLineIn]) -> list[JournalLine]:
    """Makes all of them, by pointer, with their rows and items, or none.

    The contracts are locked and the terms read behind that: an edit of a line and the end of a contract lock it too.
    Raises Conflict, with the reason, for one object, Invalid for an array or a wrong field.
    """
    line_ids = {body.contract_line_id for body in sent.values()}
    await lock_contracts(session, {row["contract_id"] for row in (await terms_of(session, line_ids)).values()})
    terms = await terms_of(session, line_ids)
    _refuse_wrong(sent, terms)
    await refuse_taken(session, JournalLine, {at: body.external_id for at, body in sent.items()})
    now = context.clock.now()
    rows = [
        _journal_line(body, terms[body.contract_line_id], id=new, created_at=now, created_by=context.actor)
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    session.add_all(rows)
    await session.flush()
    await ledger.post(session, context, [_actual(row, terms[row.contract_line_id]) for row in rows])
    return rows


async def cancel(session: AsyncSession, context: Context, journal_line_id: UUID, expected: int | None) -> JournalLine:
    """Reverses what is unbilled of it; raises NotFound, Stale, and Conflict when an invoice has some of it."""
    await lock_contracts(session, [(await get_journal_line(session, journal_line_id)).contract_id])
    row = await get_journal_line(session, journal_line_id)
    match(row.version, expected)
    if row.status != "open":
        raise Conflict(f"journal line {row.id} is {row.status}", row.status, state=row.status, allowed=["open"])
    standing = (await of_journal_lines(session, [row.id])).get(row.id, [])
    hold = held(standing)
    if hold is not None:
        invoice = {"invoice_id": str(hold.invoice_id)} if hold.invoice_id else {}
        raise Conflict(f"journal line {row.id} {hold}", hold.reason, **invoice)
    reversals = await take_back(session, context, standing, "cancel")
    row.change({"status": "canceled"}, context.clock.now())
    await session.flush()
    await ledger.tell(session, context, reversals)
    return row


def _refuse_wrong(sent: Mapping[str, JournalLineIn], terms: Terms) -> None:
    found = {
        at: why for at, body in sent.items() if (why := _wrong(body, terms.get(body.contract_line_id))) is not None
    }
    if "" in found and found[""].reason is not None:
        raise Conflict(f"{found[''].field} {found[''].detail}", found[""].reason)
    errors = [
        {"pointer": f"{at}/{why.field}", "detail": why.detail, **({"reason": why.reason} if why.reason else {})}
        for at, why in found.items()
    ]
    if errors:
        raise Invalid("the journal lines are not valid", errors[:100])


def _wrong(body: JournalLineIn, row: Mapping[str, Any] | None) -> Wrong | None:
    if row is None:
        return Wrong("contract_line_id", f"no contract line {body.contract_line_id}")
    terms = LineTerms(
        row["status"], row["currency"], row["kind"], row["billing_method"], row["includes"] or (), row["valid_from"],
        row["valid_to"],
    )  # fmt: skip
    return wrong(terms, body.item_class, body.date, body.quantity, body.price, body.tax)


def _journal_line(body: JournalLineIn, terms: Mapping[str, Any], **made: Any) -> JournalLine:
    given = body.model_dump(exclude={"unit"})
    return JournalLine(
        **given, **made, updated_at=made["created_at"], contract_id=terms["contract_id"],
        unit=body.unit or UNITS.get(body.item_class, "each"),
        amount=amount_of(body.quantity, body.price, terms["currency"]),
    )  # fmt: skip


def _actual(row: JournalLine, terms: Mapping[str, Any]) -> NewActual:
    return NewActual(
        id=row.id, type="unbilled_sales", item_class=row.item_class, billing_type="chargeable", cause="journal",
        accounting_date=row.date, date=row.date, quantity=row.quantity, unit=row.unit, price=row.price,
        amount=row.amount, tax=row.tax, currency=terms["currency"], rate_id=None, project=terms["project"], task=None,
        resource=None, role=None, category=None, product=None, description=row.description,
        external_description=row.external_description, contract_id=row.contract_id,
        contract_line_id=row.contract_line_id, entry_id=None, entry_revision=None, journal_line_id=row.id,
        billing_status="unbilled", has_cost_price=True,
    )  # fmt: skip
