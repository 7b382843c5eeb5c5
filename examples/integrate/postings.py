"""What Proforma's events post to a general ledger. Pure: no Kafka, no database, no clock.

| what happened | debit | credit |
|---|---|---|
| work on time and material is approved | work in progress, at its sales value | accrued revenue |
| anything takes that back: invoiced, canceled, priced anew | accrued revenue | work in progress |
| an invoice is confirmed: work, products, fees | customer | invoiced revenue |
| … a milestone of a fixed price | customer | invoiced on account |
| … its tax | customer | tax |

The first two rows come from `billing-backlog.actuals`, the others from `invoicing.invoices`: the ledger's reversal at
confirm is what takes the accrual back, the confirmed invoice is what the customer owes. A corrective posts its
differences; what it gives back to the backlog comes as an unbilled row, and so is accrued again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

WIP = "work in progress"
ACCRUED = "accrued revenue"
CUSTOMER = "customer"
REVENUE = "invoiced revenue"
ON_ACCOUNT = "invoiced on account"
TAX = "tax"

Body = Mapping[str, Any]


class DoesNotAddUp(Exception):
    """The details of a confirmed invoice are not what its control totals say: nothing of it is posted."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A debit above zero, a credit below, in the voucher's currency."""

    account: str
    contract_line_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Voucher:
    """Postings that add up to zero. `id` names what it is made of: a second voucher of it would be a mistake.

    `subject` ties an accrual to what takes it back: the unbilled row's id.
    """

    id: str
    date: str
    currency: str
    contract_id: str
    invoice_id: str | None
    subject: str | None
    postings: tuple[Posting, ...]


def accrual(actual: Body) -> Voucher | None:
    """The voucher of one row of Proforma's ledger; None for what no customer will be billed, or has no price yet."""
    if actual["type"] != "unbilled_sales" or actual.get("billing_type") != "chargeable" or actual["amount"] is None:
        return None
    amount, line = Decimal(actual["amount"]), actual["contract_line_id"]
    return Voucher(
        f"actual:{actual['id']}", actual["accounting_date"], actual["currency"], actual["contract_id"],
        actual.get("invoice_id"), actual.get("reverses") or actual["id"],
        _posted({(WIP, line): amount, (ACCRUED, line): -amount}),
    )  # fmt: skip


def invoice(chunks: Sequence[Body]) -> Voucher:
    """The voucher of a confirmed invoice, from all of its chunks. Raises DoesNotAddUp."""
    _prove(chunks)
    header = chunks[0]
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for detail in (detail for chunk in chunks for detail in chunk["details"]):
        line = detail["contract_line_id"]
        amount, tax = _billed(detail, "amount"), _billed(detail, "tax")
        sums[CUSTOMER, line] += amount + tax
        sums[ON_ACCOUNT if detail["source"] == "milestone" else REVENUE, line] -= amount
        sums[TAX, line] -= tax
    return Voucher(
        f"invoice:{header['invoice_id']}", header["accounting_date"], header["currency"], header["contract_id"],
        header["invoice_id"], None, _posted(sums),
    )  # fmt: skip


def _billed(detail: Body, what: str) -> Decimal:
    """What the customer owes by this detail; of a corrective's the difference to what was billed before."""
    before = detail["was"] if detail.get("original_detail_id") else None
    return _owed(detail["now"], what) - _owed(before, what)


def _owed(figures: Body | None, what: str) -> Decimal:
    # Neither what is not chargeable nor what is a present is paid, though it carries its amount.
    return Decimal(figures[what]) if figures and figures["billing_type"] == "chargeable" else Decimal(0)


def _prove(chunks: Sequence[Body]) -> None:
    totals = chunks[0]["totals"]
    now = [detail["now"] for chunk in chunks for detail in chunk["details"]]
    if len(now) != totals["count"]:
        raise DoesNotAddUp(f"{chunks[0]['number']}: {len(now)} details, {totals['count']} are named")
    for what in ("quantity", "amount", "tax"):
        found = sum((Decimal(figures[what]) for figures in now), Decimal(0))
        if found != Decimal(totals[what]):
            raise DoesNotAddUp(f"{chunks[0]['number']}: {what} {found}, {totals[what]} is named")


def _posted(sums: Mapping[tuple[str, str], Decimal]) -> tuple[Posting, ...]:
    return tuple(Posting(account, line, amount) for (account, line), amount in sums.items() if amount)
