"""Correcting: a confirmed invoice stays as it is; another one says what is billed instead (domain §2.8, §3.5)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.confirmation.service import confirm_locked
from invoicing.corrections import queries
from invoicing.corrections.rules import check_details, check_original
from invoicing.details import queries as details
from invoicing.details.service import summed
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import Sums, zero
from invoicing.invoices.tables import Invoice
from proforma.clock import today
from proforma.context import Context
from proforma.http import match


async def correct(
    session: AsyncSession,
    context: Context,
    invoice_id: UUID,
    expected: int | None,
    detail_ids: Sequence[UUID] | None,
    reason: str | None,
) -> Invoice:
    """A corrective draft with every live detail, or these, at zero; a repeat of the same call meets the same one.

    Raises NotFound, Stale, and Conflict: `wrong_state`, `posting_pending`, `on_corrective`.
    """
    corrective, _ = await _correct(session, context, invoice_id, expected, detail_ids, reason, "correct")
    return corrective


async def void(
    session: AsyncSession, context: Context, invoice_id: UUID, expected: int | None, reason: str | None
) -> Invoice:
    """Takes back all of an invoice: a corrective of every live detail at zero, confirmed. Raises as `correct` does."""
    corrective, made = await _correct(session, context, invoice_id, expected, None, reason, "void")
    if made:
        await confirm_locked(session, context, [corrective.id])
    return await invoices.one(session, corrective.id)


async def _correct(
    session: AsyncSession,
    context: Context,
    invoice_id: UUID,
    expected: int | None,
    detail_ids: Sequence[UUID] | None,
    reason: str | None,
    verb: str,
) -> tuple[Invoice, bool]:
    """The corrective, and whether this call made it.

    The original is locked first: of two who correct it at once, the second sees the first one's corrective.
    """
    original = await invoices.lock(session, invoice_id)
    corrective_id = context.once_id()
    if (there := await session.get(Invoice, corrective_id)) is not None:
        return there, False
    check_original(original.status, original.posting, verb)
    match(original.version, expected)
    ids = None if detail_ids is None else list(set(detail_ids))
    state = await queries.state(session, invoice_id, ids)
    check_details(state, None if ids is None else len(ids))
    session.add(_corrective(context, original, corrective_id))
    await session.flush()
    await _fill(session, context, original, corrective_id, ids, state["live"])
    await invoices.remember(
        session,
        context,
        [
            Happened(
                corrective_id, "opened", after={"original_id": invoice_id, "details": state["live"]}, reason=reason
            ),
            Happened(invoice_id, f"{verb}ed", after={"corrective_id": corrective_id}, reason=reason),
        ],
    )
    return await invoices.one(session, corrective_id), True


def _corrective(context: Context, original: Invoice, corrective_id: UUID) -> Invoice:
    """The corrective without a detail; contract and customer are copies of the original's copies."""
    nothing, now = zero(original.currency), context.clock.now()
    return Invoice(
        id=corrective_id,
        kind="corrective",
        status="draft",
        original_id=original.id,
        contract_id=original.contract_id,
        contract_name=original.contract_name,
        customer_id=original.customer_id,
        customer_name=original.customer_name,
        customer_billing_address=original.customer_billing_address,
        customer_payment_terms_days=original.customer_payment_terms_days,
        customer_tax_id=original.customer_tax_id,
        currency=original.currency,
        invoice_date=today(context.clock),
        subtotal=nothing,
        tax=nothing,
        total=nothing,
        created_at=now,
        created_by=context.actor,
        updated_at=now,
    )


async def _fill(
    session: AsyncSession, context: Context, original: Invoice, corrective_id: UUID, ids: list[UUID] | None, live: int
) -> None:
    """Details, lines and totals of a corrective. Ids in the order of the original's details, so they list alike."""
    fresh = [context.ids() for _ in range(live)]
    rows = await queries.take(session, original.id, ids, corrective_id, fresh, original.currency)
    lines = {row["contract_line_id"]: context.ids() for row in rows}
    await queries.take_lines(session, original.id, corrective_id, lines, original.currency)
    sums = summed(rows, corrective_id)
    await details.add_sums(session, sums)
    await invoices.change(session, context, [Change(corrective_id, "draft", sum(sums.values(), Sums()), len(lines))])
