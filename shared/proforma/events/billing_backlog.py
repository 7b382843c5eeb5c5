"""What billing-backlog says: schedules, claims, answers and every ledger posting."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from proforma.envelope import Body, Event
from proforma.events.time_expense import BillingType
from proforma.money import Amount, AmountSum, Price, Quantity, QuantitySum, SignedQuantity

ItemClass = Literal["time", "expense", "material", "milestone", "product", "fee"]
_ALIASED = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)


class ScheduleRow(Body):
    """One run of a contract line: work dated up to `cut_off` (inclusive) is billed on `run_date`."""

    id: UUID
    run_date: date
    cut_off: date


class ScheduleChanged(Event):
    """The unrun rows of a contract line's schedule, all of them; a higher `schedule_version` replaces a lower one."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.schedule.changed.v1"
    TOPIC: ClassVar[str] = "billing-backlog.contracts"

    contract_id: UUID
    contract_line_id: UUID
    schedule_id: UUID
    schedule_version: int
    time_zone: str
    rows: list[ScheduleRow] = Field(max_length=400)

    def key(self) -> str:
        return str(self.contract_id)


class ScheduleEnded(Event):
    """The contract line has no schedule any more; nothing of it is triggered from now on."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.schedule.ended.v1"
    TOPIC: ClassVar[str] = "billing-backlog.contracts"

    contract_id: UUID
    contract_line_id: UUID
    schedule_id: UUID
    schedule_version: int

    def key(self) -> str:
        return str(self.contract_id)


class ClaimCustomer(Body):
    """A copy of the customer as it was when the items were claimed."""

    id: UUID
    name: str
    billing_address: str | None = None
    payment_terms_days: int | None = None
    tax_id: str | None = None


class Claim(Body):
    """One taking of items under a run. `items` counts all of the claim's items, over all its chunks."""

    id: UUID
    run_id: UUID
    run_kind: Literal["manual", "scheduled"]
    run_date: date
    contract_id: UUID
    contract_name: str
    customer: ClaimCustomer
    currency: str
    items: int


class ClaimLine(Body):
    """A contract line that the invoice shows, with or without items."""

    id: UUID
    name: str
    kind: Literal["project", "product"]
    billing_method: Literal["time_and_material", "fixed_price"] | None = None
    includes: list[str] = Field(default_factory=list)
    cut_off: date | None = None


class ClaimedItem(Body):
    """All that an invoice detail shows. Price and amount are never null here: what has no price is never claimed."""

    id: UUID
    contract_line_id: UUID
    item_class: ItemClass = Field(alias="class")
    source: Literal["backlog", "milestone", "product"] = "backlog"
    entry_id: UUID | None = None
    project: str | None = None
    task: str | None = None
    resource: str | None = None
    role: str | None = None
    category: str | None = None
    product: str | None = None
    date: date
    quantity: Quantity
    unit: str
    price: Price
    amount: Amount
    tax: Amount
    billing_type: BillingType
    description: str | None = None
    external_description: str | None = None

    model_config = _ALIASED


class ItemsClaimed(Event):
    """Chunk `chunk` (1-based) of `chunks` of a claim: its items (500 or 512 KiB at most) and lines."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.items.claimed.v1"
    TOPIC: ClassVar[str] = "billing-backlog.claims"

    claim: Claim
    lines: list[ClaimLine]
    items: list[ClaimedItem] = Field(min_length=1, max_length=500)
    chunk: int = Field(ge=1)
    chunks: int = Field(ge=1)

    def key(self) -> str:
        return str(self.claim.contract_id)


class ControlTotals(Body):
    """Count and sums over an invoice's details: both sides compute them, and they must agree."""

    count: int
    quantity: QuantitySum
    amount: AmountSum
    tax: AmountSum


class InvoicePosted(Event):
    """Every detail of the confirmed invoice has its billed row in the ledger."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.invoice.posted.v1"
    TOPIC: ClassVar[str] = "billing-backlog.answers"

    invoice_id: UUID
    contract_id: UUID
    totals: ControlTotals

    def key(self) -> str:
        return str(self.contract_id)


class PostingBlocked(Event):
    """Details of the confirmed invoice do not match what is claimed; a person has to look."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.invoice.posting-blocked.v1"
    TOPIC: ClassVar[str] = "billing-backlog.answers"

    invoice_id: UUID
    contract_id: UUID
    reason: str

    def key(self) -> str:
        return str(self.contract_id)


class CancellationAnswer(Body):
    """`reversed`: every row of the revision is reversed, for good. `refused`: an invoice holds the work, and stays."""

    id: UUID
    revision: int
    request_id: UUID
    outcome: Literal["reversed", "refused"]
    reason: str | None = None
    invoice_id: UUID | None = None


class CancellationsAnswered(Event):
    """What became of cancellation requests of one contract, or of one project where no contract has the work."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.cancellations.answered.v1"
    TOPIC: ClassVar[str] = "billing-backlog.answers"

    contract_id: UUID | None = None
    project: str
    entries: list[CancellationAnswer] = Field(min_length=1, max_length=500)

    def key(self) -> str:
        return str(self.contract_id or self.project)


class PostedActual(Body):
    """One row of the ledger as it was posted. A chargeable row without a price has price and amount null, never 0."""

    id: UUID
    type: Literal["cost", "unbilled_sales", "billed_sales"]
    item_class: ItemClass = Field(alias="class")
    billing_type: BillingType | None = None
    cause: Literal[
        "approve", "cancel", "confirm", "correct", "re-evaluate", "re-price", "set-billing-type", "journal", "close"
    ]
    accounting_date: date
    date: date
    posted_at: datetime
    quantity: SignedQuantity
    unit: str
    price: Price | None
    amount: Amount | None
    tax: Amount | None
    currency: str | None
    project: str | None = None
    task: str | None = None
    resource: str | None = None
    role: str | None = None
    category: str | None = None
    product: str | None = None
    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    entry_id: UUID | None = None
    entry_revision: int | None = None
    invoice_id: UUID | None = None
    invoice_detail_id: UUID | None = None
    reverses: UUID | None = None
    replaces: UUID | None = None

    model_config = _ALIASED


class ActualsPosted(Event):
    """Ledger rows of one contract (or, without one, of one project), for a general ledger to read."""

    TYPE: ClassVar[str] = "proforma.billing-backlog.actuals.posted.v1"
    TOPIC: ClassVar[str] = "billing-backlog.actuals"

    actuals: Annotated[list[PostedActual], Field(min_length=1, max_length=500)]

    def key(self) -> str:
        first = self.actuals[0]
        return str(first.contract_id or first.project)
