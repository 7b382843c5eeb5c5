"""What holds work on an invoice. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the ledger that nothing reverses, with its open item's status and the invoice that has it, if any."""

    id: UUID
    type: str
    contract_id: UUID | None
    item_status: str | None
    invoice_id: UUID | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Why work cannot be taken back: on_invoice or posted. A draft that is not whole yet has no invoice to name."""

    reason: str
    invoice_id: UUID | None

    def __str__(self) -> str:
        what = "is on an invoice" if self.reason == "on_invoice" else "is billed"
        return what + (f" ({self.invoice_id})" if self.invoice_id else "")


def held(rows: Iterable[Standing]) -> Hold | None:
    """The first invoice that has some of the work: a draft's, or a confirmed one's that is not credited in full."""
    for row in rows:
        if row.type == "billed_sales":
            return Hold("posted", row.invoice_id)
        if row.item_status == "on_invoice":
            return Hold("on_invoice", row.invoice_id)
    return None
