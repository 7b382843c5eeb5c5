"""A second opinion: what the backlog and the invoices must say, worked out with whole numbers and nothing of ours.

Quantities in hundredths of an hour, prices in ten-thousandths, amounts in cents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

CHARGEABLE, FREE = "chargeable", "non_chargeable"


def cents(quantity: int, price: int) -> int:
    """quantity × price, half up."""
    return (quantity * price + 5_000) // 10_000


@dataclass(frozen=True)
class Figures:
    """What is billed, or to be billed."""

    quantity: int
    price: int
    amount: int
    billing_type: str

    def rest(self, kept: int) -> Figures:
        """What is left when `kept` of the quantity is billed: the whole amount less the kept part's."""
        return replace(self, quantity=self.quantity - kept, amount=self.amount - cents(kept, self.price))


@dataclass
class Item:
    """Work that is open: unbilled, ready, or on the draft `held_by`."""

    entry: str | None
    figures: Figures
    status: str = "unbilled"
    held_by: str | None = None

    def told(self) -> tuple[object, ...]:
        return (self.entry, self.figures, self.status)


@dataclass
class Detail:
    """A line of an invoice. `was`: as it came; None for one that was added by hand."""

    entry: str | None
    was: Figures | None
    now: Figures
    item: str | None = None
    remainder: str | None = None
    original: str | None = None
    by_hand: bool = False
    live: bool = False
    gave_back: bool = False


@dataclass
class Invoice:
    """A draft, or what became of it."""

    kind: str
    status: str
    details: dict[str, Detail] = field(default_factory=dict)

    @property
    def subtotal(self) -> int:
        """What the customer owes for it, before tax: of a corrective the difference."""
        total = sum(one.now.amount for one in self.details.values() if one.now.billing_type == CHARGEABLE)
        if self.kind == "corrective":
            total -= sum(
                one.was.amount for one in self.details.values() if one.was and one.was.billing_type == CHARGEABLE
            )
        return total


@dataclass
class Books:
    """Everything that can be seen from outside, by the ids that the services gave."""

    price: int
    items: dict[str, Item] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)

    def approved(self, entry: str, quantity: int, billable: int, billing_type: str | None) -> list[Item]:
        """What an approval opens."""
        kind, rest = billing_type or CHARGEABLE, quantity - billable
        if rest > 0 and (kind == FREE or billable == 0):
            return [Item(entry, self._whole(quantity, FREE))]
        if rest <= 0:
            return [Item(entry, self._whole(billable, kind))]
        whole = self._whole(quantity, kind)
        kept = self._whole(billable, kind)
        return [Item(entry, kept), Item(entry, replace(whole.rest(billable), billing_type=FREE))]

    def _whole(self, quantity: int, billing_type: str) -> Figures:
        return Figures(quantity, self.price, cents(quantity, self.price), billing_type)

    def held(self, entry: str) -> bool:
        """True when an approval of the entry cannot be cancelled."""
        on_draft = any(one.entry == entry and one.status == "on_invoice" for one in self.items.values())
        return on_draft or any(one.entry == entry and one.live for _, one in self.details())

    def details(self) -> Iterable[tuple[str, Detail]]:
        """Every detail of every invoice that was not given up."""
        for invoice in self.invoices.values():
            if invoice.status != "discarded":
                yield from invoice.details.items()

    def release(self, detail: Detail) -> None:
        """A detail left a draft: its item is ready again."""
        if detail.item is not None and detail.original is None and not detail.by_hand:
            self.items[detail.item] = replace(self.items[detail.item], status="ready", held_by=None)

    def confirm(self, invoice_id: str) -> list[Item]:
        """Confirms; returns the items that this opens. Unchanged details of a corrective go, what is left is billed."""
        invoice = self.invoices[invoice_id]
        if invoice.kind == "corrective":
            changed = {key: one for key, one in invoice.details.items() if one.now != one.was}
            invoice.details = changed
            return [item for one in list(changed.values()) for item in self._correct(one)]
        opened = [item for key, one in list(invoice.details.items()) for item in self._bill(invoice, key, one)]
        invoice.status = "confirmed"
        return opened

    def _bill(self, invoice: Invoice, key: str, detail: Detail) -> list[Item]:
        detail.live = True
        if detail.item is not None:
            del self.items[detail.item]
        if detail.was is None or detail.now.quantity >= detail.was.quantity:
            return []
        rest = detail.was.rest(detail.now.quantity)
        if detail.remainder == "return":
            detail.gave_back = True
            return [Item(detail.entry, rest)]
        free = replace(rest, billing_type=FREE)
        invoice.details[f"written off from {key}"] = Detail(detail.entry, None, free, item=detail.item, live=True)
        return []

    def _correct(self, detail: Detail) -> list[Item]:
        original = next(one for key, one in self.details() if key == detail.original)
        original.live = False
        detail.live = detail.now.quantity > 0
        detail.gave_back = original.gave_back
        assert detail.was is not None
        if detail.by_hand or detail.now.quantity >= detail.was.quantity:
            return []
        detail.gave_back = True
        return [Item(detail.entry, detail.was.rest(detail.now.quantity))]
