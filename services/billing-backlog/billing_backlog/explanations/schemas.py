"""Body of explain."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from billing_backlog.backlog.schemas import BillingStatus, ItemReason
from billing_backlog.explanations.rules import Turn
from proforma.bodies import Output
from proforma.money import Rate


class ReasonOut(Output):
    """One reason, in words."""

    reason: ItemReason
    detail: str


class LineOut(Output):
    """A contract line of the work's project: what keeps the work off it, nothing where it takes it."""

    contract_line_id: UUID
    contract_id: UUID
    name: str
    contract_status: str
    refuses: list[str] = Field(examples=[["class expense is not among time"]])


class ListOut(Output):
    """A price list that was searched. A list that does not hold on the day is not used."""

    price_list_id: UUID
    name: str
    currency: str
    valid_from: date | None
    valid_to: date | None
    holds: bool = Field(description="On the day of the work.")
    rate_id: UUID | None = Field(description="Its most specific rate for the work, in the work's own unit.")
    method: str | None


class ExchangeOut(Output):
    """The exchange rate that a cost in another currency needs; `rate` null: there is none on or before the day."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    date: date
    exchange_rate_id: UUID | None
    rate: Rate | None


class PriceOut(Output):
    """How the sales price was looked for, as lists and rates stand now."""

    key: str | None = Field(description="Role, category or product.")
    unit: str
    lists: list[ListOut]
    exchange: ExchangeOut | None


class InvoiceOut(Output):
    """What has it. `invoice_id` is null until invoicing has drafted the claim."""

    claim_id: UUID | None
    invoice_id: UUID | None


class ReversalOut(Output):
    """What took it out of the backlog, and the item that took its place."""

    actual_id: UUID
    cause: str
    by: str
    at: datetime
    replaced_by: UUID | None


class ExplainOut(Output):
    """The facts behind an item's reasons, and whose turn it is."""

    id: UUID
    billing_status: BillingStatus
    reasons: list[ReasonOut]
    turn: Turn = Field(description="Who has to do something next; `run`: a run takes it by itself.")
    to_do: str
    contract_id: UUID | None
    contract_line_id: UUID | None
    lines: list[LineOut] = Field(description="Of work that no line takes: the lines of its project, 100 at most.")
    price: PriceOut | None = Field(description="Of work on a line; null for a journal line, which has its own price.")
    invoice: InvoiceOut | None
    reversal: ReversalOut | None
