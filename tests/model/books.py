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
        return replace(self, quantity=self.quantity - kept, amount=self.amount - self.part(kept))

    def part(self, kept: int) -> int:
        """The amount of a part of it: never more than the whole."""
        return min(cents(kept, self.price), self.amount)


@dataclass
class Approval:
    """What a manager approved. `hand_set`: a biller has chosen another billing type for some of it since."""

    quantity: int
    billable: int
    billing_type: str | None
    hand_set: bool = False


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
    approvals: dict[str, Approval] = field(default_factory=dict)

    def approved(self, entry: str, approval: Approval) -> list[Item]:
        """What an approval opens."""
        self.approvals[entry] = approval
        return self._opened(entry)

    def _opened(self, entry: str) -> list[Item]:
        approval = self.approvals[entry]
        quantity, billable = approval.quantity, approval.billable
        kind, rest = approval.billing_type or CHARGEABLE, quantity - billable
        if rest > 0 and (kind == FREE or billable == 0):
            return [Item(entry, self._whole(quantity, FREE))]
        if rest <= 0:
            return [Item(entry, self._whole(billable, kind))]
        whole = self._whole(quantity, kind)
        kept = self._whole(billable, kind)
        return [Item(entry, kept), Item(entry, replace(whole.rest(billable), billing_type=FREE))]

    def _whole(self, quantity: int, billing_type: str) -> Figures:
        return Figures(quantity, self.price, cents(quantity, self.price), billing_type)

    def canceled(self, entry: str) -> None:
        """The approval is taken back, and its items go."""
        del self.approvals[entry]
        self.items = {key: one for key, one in self.items.items() if one.entry != entry}

    def reevaluated(self, price: int) -> tuple[int, list[Item]]:
        """An hour has another price. (entries that change, items that open in the place of theirs)

        What an invoice has stays; what a biller chose stays, at the new price; the rest is as if approved now.
        """
        self.price = price
        opened: list[Item] = []
        changed = 0
        for entry, approval in self.approvals.items():
            old = {key: self.items[key] for key in sorted(self.items) if self.items[key].entry == entry}
            new = self._opened(entry)
            parts = [one.figures for one in old.values()]
            if approval.hand_set and sum(one.quantity for one in parts) == sum(one.figures.quantity for one in new):
                new = self._parts(entry, parts)
            if self.held(entry) or _terms(old.values()) == _terms(new):
                continue
            self.items = {key: one for key, one in self.items.items() if key not in old}
            opened += new
            changed += 1
        return changed, opened

    def _parts(self, entry: str, parts: list[Figures]) -> list[Item]:
        """The same parts at today's price; the last is the whole less the others."""
        left = cents(sum(one.quantity for one in parts), self.price)
        found = []
        for n, one in enumerate(parts, 1):
            amount = left if n == len(parts) else cents(one.quantity, self.price)
            left -= amount
            found.append(Item(entry, replace(one, price=self.price, amount=amount)))
        return found

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


def _terms(items: Iterable[Item]) -> list[tuple[str, int, int]]:
    """What two ways to bill the same work may differ in; amounts follow."""
    return sorted((one.figures.billing_type, one.figures.quantity, one.figures.price) for one in items)
