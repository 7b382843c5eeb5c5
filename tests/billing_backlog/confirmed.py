"""What invoicing says of invoices that were edited, written by hand or corrected, as a test writes it down."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_backlog.worker import HANDLERS
from proforma.clock import derived_id
from proforma.db import execute
from proforma.events.billing_backlog import ControlTotals
from proforma.events.invoicing import ConfirmedDetail, DetailFigures, InvoiceConfirmed
from proforma.money import amount_of, kept_and_rest
from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, CONTRACT, CUSTOMER, LINE, claimed, confirmation, run
from tests.support.events import deliver


def figures(quantity: str, price: str, amount: str | None = None, **more: Any) -> DetailFigures:
    """Figures in EUR; the amount is quantity × price unless given."""
    worked_out = str(amount_of(Decimal(quantity), Decimal(price), "EUR"))
    given = {"quantity": quantity, "price": price, "amount": amount or worked_out, "tax": "0.00"}
    return DetailFigures.model_validate({**given, "billing_type": "chargeable", **more})


def edited(detail: ConfirmedDetail, now: DetailFigures, remainder: str | None = None) -> ConfirmedDetail:
    """The detail as it was edited on the draft."""
    return detail.model_copy(update={"now": now, "remainder": remainder})


def written_off(detail: ConfirmedDetail) -> ConfirmedDetail:
    """The rest of a reduced detail, as a detail of its own."""
    assert detail.was is not None
    was, now = detail.was, detail.now
    _, amount = kept_and_rest(was.amount, was.quantity, was.price, now.quantity, "EUR")
    rest = figures(str(was.quantity - now.quantity), str(was.price), str(amount), billing_type="non_chargeable")
    return detail.model_copy(
        update={
            "detail_id": derived_id("write-off", detail.detail_id), "was": None, "now": rest, "remainder": None,
            "written_off_from": detail.detail_id,
        }
    )  # fmt: skip


def by_hand(now: DetailFigures, item_class: str = "time", line_id: UUID = LINE, n: int = 1) -> ConfirmedDetail:
    """A detail that somebody added to the draft."""
    coding = {"date": date(2026, 2, 3), "unit": "hour", "project": "P1", "role": "dev", "description": "by hand"}
    return ConfirmedDetail.model_validate(
        {
            "detail_id": derived_id("by hand", n), "source": "hand", "class": item_class, "contract_line_id": line_id,
            "was": None, "now": now, "coding": coding,
        }
    )  # fmt: skip


def corrected(original: ConfirmedDetail, now: DetailFigures, n: int = 1) -> ConfirmedDetail:
    """The original detail as a corrective would have it: `now` is what is right."""
    return original.model_copy(
        update={
            "detail_id": derived_id("correction", original.detail_id, n), "claim_id": None, "was": original.now,
            "now": now, "remainder": None, "written_off_from": None, "coding": None,
            "original_detail_id": original.detail_id,
        }
    )  # fmt: skip


def zero(detail: ConfirmedDetail) -> DetailFigures:
    """Nothing of the detail is right."""
    nothing = {"quantity": Decimal(0), "amount": Decimal("0.00"), "tax": Decimal("0.00")}
    return detail.now.model_copy(update=nothing)


def invoice(
    details: Sequence[ConfirmedDetail], n: int = 1, *, kind: str = "invoice", per_chunk: int = 500, **header: Any
) -> list[InvoiceConfirmed]:
    """A confirmed invoice, or a corrective, of these details."""
    totals = ControlTotals(
        count=len(details),
        quantity=sum((one.now.quantity for one in details), Decimal(0)),
        amount=sum((one.now.amount for one in details), Decimal(0)),
        tax=sum((one.now.tax for one in details), Decimal(0)),
    )
    parts = [details[at : at + per_chunk] for at in range(0, len(details), per_chunk)]
    given = {
        "invoice_id": derived_id("invoice", n), "number": f"PF-2026-{n:06}", "kind": kind, "contract_id": CONTRACT,
        "customer_id": CUSTOMER, "currency": "EUR", "invoice_date": date(2026, 3, 2),
        "accounting_date": date(2026, 3, 3), "confirmed_by": "boss", "confirmed_at": AT, "totals": totals,
        "chunks": len(parts), **header,
    }  # fmt: skip
    return [InvoiceConfirmed.model_validate({**given, "details": part, "chunk": n}) for n, part in enumerate(parts, 1)]


async def confirm(
    runtime: Runtime, details: Sequence[ConfirmedDetail], n: int = 1, **header: Any
) -> list[InvoiceConfirmed]:
    """Delivers the confirmation of an invoice of these details."""
    chunks = invoice(details, n, **header)
    await deliver(runtime, HANDLERS, *chunks)
    return chunks


async def drafted(runtime: Runtime, **body: Any) -> list[ConfirmedDetail]:
    """A run takes what is ready; its details, unedited."""
    before = len(await claimed(runtime))
    await run(runtime, **body)
    return [detail for chunk in confirmation((await claimed(runtime))[before:]) for detail in chunk.details]


_ON_DRAFT = """
insert into items (id, contract_id, contract_line_id, class, source, product, date, quantity, unit, price, amount, tax,
                   currency, billing_type, description, has_cost_price, billing_status, claim_id, changed_by,
                   changed_at)
values ($1, $2, $3, $4, $4, $5, '2026-02-05', $6, 'each', $7, $8, 0, 'EUR', 'chargeable', 'name', true, 'on_invoice',
        $9, 't', $10)
"""
_MILESTONE = """
insert into milestones (id, contract_id, contract_line_id, name, date, amount, tax, version, created_at, created_by,
                        updated_at)
values ($1, $2, $3, 'Design done', '2026-02-05', $4, 0, 1, $5, 't', $5)
"""
_PRODUCT = """
insert into contract_lines (id, contract_id, name, kind, product, quantity, unit, price, amount, tax, version,
                            created_at, created_by, updated_at)
values ($1, $2, 'Licences', 'product', 'LIC', $3, 'each', $4, $5, 0, 1, $6, 't', $6)
"""
_CLAIM = """
insert into claims (id, run_id, contract_id, items, amount, chunks, status, created_at, created_by, updated_at)
values ($1, $1, $2, 1, $3, 1, 'drafted', $4, 't', $4)
"""


async def sourced_on_draft(runtime: Runtime, source: str, quantity: str, price: str) -> ConfirmedDetail:
    """A milestone of line LINE, or a product line, that is on a draft; its detail, unedited."""
    now = figures(quantity, price)
    source_id, claim_id = derived_id(source), derived_id("claim of", source)
    line_id = LINE if source == "milestone" else source_id
    terms: Mapping[str, tuple[str, tuple[Any, ...]]] = {
        "milestone": (_MILESTONE, (source_id, CONTRACT, LINE, now.amount, AT)),
        "product": (_PRODUCT, (source_id, CONTRACT, now.quantity, now.price, now.amount, AT)),
    }
    async with runtime.database.transaction() as session:
        await execute(session, terms[source][0], *terms[source][1])
        await execute(session, _CLAIM, claim_id, CONTRACT, now.amount, AT)
        await execute(
            session, _ON_DRAFT, source_id, CONTRACT, line_id, source, "LIC" if source == "product" else None,
            now.quantity, now.price, now.amount, claim_id, AT,
        )  # fmt: skip
    return ConfirmedDetail.model_validate(
        {
            "detail_id": derived_id("detail of", source), "item_id": source_id, "claim_id": claim_id, "source": source,
            "class": source, "contract_line_id": line_id, "was": now, "now": now,
        }
    )  # fmt: skip
