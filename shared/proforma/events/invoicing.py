"""What invoicing says: drafts made and given back, details released, invoices confirmed."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from proforma.clock import derived_id
from proforma.envelope import Body, Event
from proforma.events.billing_backlog import ControlTotals, ItemClass
from proforma.events.time_expense import BillingType
from proforma.money import Amount, Price, QuantityFromZero

TOPIC = "invoicing.invoices"


class ClaimCount(Body):
    """How many details a claim brought on to the invoice."""

    claim_id: UUID
    items: int


class InvoiceDrafted(Event):
    """All chunks of the named claims are in: the draft can be edited and confirmed. Said again when a claim joins."""

    TYPE: ClassVar[str] = "proforma.invoicing.invoice.drafted.v1"
    TOPIC: ClassVar[str] = TOPIC

    invoice_id: UUID
    contract_id: UUID
    run_id: UUID
    currency: str
    invoice_date: date
    totals: ControlTotals
    claims: list[ClaimCount]

    def key(self) -> str:
        return str(self.contract_id)


class InvoiceDiscarded(Event):
    """The draft is given up; every item of the named claims is released."""

    TYPE: ClassVar[str] = "proforma.invoicing.invoice.discarded.v1"
    TOPIC: ClassVar[str] = TOPIC

    invoice_id: UUID
    contract_id: UUID
    by: str
    at: datetime
    claims: list[UUID]

    def key(self) -> str:
        return str(self.contract_id)


class ClaimDropped(Event):
    """One claim is taken off a draft; its items are released."""

    TYPE: ClassVar[str] = "proforma.invoicing.invoice.claim-dropped.v1"
    TOPIC: ClassVar[str] = TOPIC

    invoice_id: UUID | None
    contract_id: UUID
    claim_id: UUID
    by: str
    at: datetime

    def key(self) -> str:
        return str(self.contract_id)


class ReleasedDetail(Body):
    """An item that left a draft, under the claim that had brought it."""

    item_id: UUID
    claim_id: UUID


class DetailsReleased(Event):
    """Details were removed from a draft; their items are ready again."""

    TYPE: ClassVar[str] = "proforma.invoicing.details.released.v1"
    TOPIC: ClassVar[str] = TOPIC

    invoice_id: UUID
    contract_id: UUID
    by: str
    at: datetime
    details: list[ReleasedDetail] = Field(min_length=1, max_length=500)

    def key(self) -> str:
        return str(self.contract_id)


class DetailFigures(Body):
    """Quantity, price, amount, tax and billing type of a detail at one moment."""

    quantity: QuantityFromZero
    price: Price
    amount: Amount
    tax: Amount
    billing_type: BillingType


class DetailCoding(Body):
    """All that the ledger keeps of a detail that stands on nothing but this invoice: one that was added by hand."""

    date: date
    unit: str
    project: str | None = None
    task: str | None = None
    resource: str | None = None
    role: str | None = None
    category: str | None = None
    product: str | None = None
    description: str | None = None
    external_description: str | None = None


class ConfirmedDetail(Body):
    """One detail of a confirmed invoice: `was` as it was claimed, or billed before; `now` as it is billed.

    `was` is null, and `coding` there, exactly where it was added by hand. `remainder` says what becomes of a reduced
    quantity: `return` opens the rest as an item (`returned_item_id`); of `write_off` the rest is the detail that names
    this one in `written_off_from`, is non-chargeable, has this one's item and claim, and comes in the same chunk.
    `original_detail_id`, on a corrective, is the detail whose billing this one replaces: the whole of `was` is
    reversed, `now` is billed, and of a lower quantity the rest is an item again.
    """

    detail_id: UUID
    item_id: UUID | None = None
    claim_id: UUID | None = None
    source: Literal["backlog", "milestone", "product", "hand"]
    item_class: ItemClass = Field(alias="class")
    contract_line_id: UUID
    was: DetailFigures | None
    now: DetailFigures
    remainder: Literal["write_off", "return"] | None = None
    written_off_from: UUID | None = None
    original_detail_id: UUID | None = None
    coding: DetailCoding | None = None

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)


def returned_item_id(detail_id: UUID) -> UUID:
    """The id of the item that confirming this detail returns to the backlog: both sides name it without asking."""
    return derived_id("returned", detail_id)


class InvoiceConfirmed(Event):
    """Chunk `chunk` (1-based) of `chunks` of a confirmed invoice; every chunk carries the header."""

    TYPE: ClassVar[str] = "proforma.invoicing.invoice.confirmed.v1"
    TOPIC: ClassVar[str] = TOPIC

    invoice_id: UUID
    number: str
    kind: Literal["invoice", "corrective"]
    original_id: UUID | None = None
    contract_id: UUID
    customer_id: UUID
    run_id: UUID | None = None
    currency: str
    invoice_date: date
    accounting_date: date
    confirmed_by: str
    confirmed_at: datetime
    totals: ControlTotals
    details: list[ConfirmedDetail] = Field(min_length=1, max_length=500)
    chunk: int = Field(ge=1)
    chunks: int = Field(ge=1)

    def key(self) -> str:
        return str(self.contract_id)
