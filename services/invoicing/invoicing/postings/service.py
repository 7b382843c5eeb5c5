"""The ledger's answers on confirmed invoices."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.confirmation.service import send_again
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Happened
from invoicing.invoices.rules import CONFIRMED, Posting
from invoicing.postings import queries
from invoicing.postings.rules import settled, verdict
from proforma.context import Context
from proforma.errors import BrokenRule
from proforma.events.billing_backlog import InvoicePosted, PostingBlocked

Answer = Callable[[Mapping[str, Any]], tuple[Posting, str | None]]


async def posted(session: AsyncSession, context: Context, answers: Sequence[InvoicePosted]) -> None:
    """The ledger has these invoices; one whose totals differ there shows as blocked, with both figures."""

    def read(answer: InvoicePosted) -> Answer:
        totals = answer.totals

        def against(invoice: Mapping[str, Any]) -> tuple[Posting, str | None]:
            reason = verdict(invoice, totals.count, totals.quantity, totals.amount, totals.tax)
            return ("blocked", reason) if reason else ("posted", None)

        return against

    await _answered(session, context, {answer.invoice_id: read(answer) for answer in answers})


async def blocked(session: AsyncSession, context: Context, answers: Sequence[PostingBlocked]) -> None:
    """The ledger could not post these invoices as they are; a person has to look there."""
    told: dict[UUID, Answer] = {
        answer.invoice_id: lambda _, reason=answer.reason: ("blocked", reason)  # type: ignore[misc]
        for answer in answers
    }
    await _answered(session, context, told)


async def ask_again(session: AsyncSession, context: Context, thing: str) -> None:
    """Tells the ledger of a confirmed invoice again, when it has not answered."""
    await send_again(session, context, UUID(thing))


async def _answered(session: AsyncSession, context: Context, answers: Mapping[UUID, Answer]) -> None:
    """Applies answers to their invoices; raises BrokenRule for an invoice that was never confirmed here."""
    found = await invoices.lock_many(session, list(answers))
    changes: dict[UUID, tuple[Posting, str | None]] = {}
    for invoice_id, answer in answers.items():
        invoice = found.get(invoice_id)
        if invoice is None or invoice["status"] not in CONFIRMED:
            raise BrokenRule(f"invoice {invoice_id} is not confirmed here")
        posting, reason = answer(invoice)
        if settled(invoice["posting"], posting) != posting:
            continue
        if (posting, reason) != (invoice["posting"], invoice["posting_reason"]):
            changes[invoice_id] = (posting, reason)
    if not changes:
        return
    await queries.set_postings(session, context, changes)
    await invoices.remember(
        session,
        context,
        [
            Happened(
                invoice_id,
                f"posting_{posting}",
                {"posting": found[invoice_id]["posting"]},
                {"posting": posting},
                reason,
            )
            for invoice_id, (posting, reason) in changes.items()
        ],
    )
