"""Bodies of lineage: where a row of the ledger comes from, and what became of it."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from billing_backlog.ledger.schemas import ActualOut
from proforma.bodies import Output
from proforma.events.time_expense import BillingType, EntryClass
from proforma.money import Price, Quantity, QuantityFromZero, Rate


class EntryOrigin(Output):
    """The entry behind the rows, by its highest revision: whose work it is, who handed it in and who approved it."""

    id: UUID
    revision: int
    state: Literal["approved", "reversed"] = Field(description="Whether that approval stands.")
    external_id: str | None
    resource: str
    submitted_by: str | None
    approved_by: str = Field(examples=["boss"])
    approved_at: datetime
    quantity: Quantity
    billable_quantity: QuantityFromZero
    billing_type: BillingType | None = Field(description="The approver's word; null left it to the contract line.")


class RateOrigin(Output):
    """A rate that priced some of the rows, with its list. `key`: role, category or product; null prices any."""

    id: UUID
    price_list_id: UUID
    price_list: str = Field(description="The list's name.", examples=["Standard 2026"])
    currency: str
    item_class: EntryClass = Field(alias="class")
    key: str | None = Field(description="Role, category or product; null prices any.", examples=["travel"])
    resource: str | None
    unit: str
    method: Literal["per_unit", "at_cost", "markup"]
    price: Price | None
    markup_percent: Price | None


class ExchangeOrigin(Output):
    """An exchange rate that some of the rows were converted with."""

    id: UUID
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    date: date
    rate: Rate


class LineageOut(Output):
    """Everything that is tied to a row, oldest first: rows of its source (entry, journal line, milestone or product
    line) with every reversal and replacement, billed rows, and the invoices. 1,000 rows at most.

    `rates` and `exchange_rates`: what the rows were priced with, as far as their lists still have it; the price that
    was taken stays in the row, whatever became of the rate. From an invoice's detail: `GET /v1/actuals` by
    `invoice_detail_id` names the row to begin at.
    """

    actual_id: UUID
    entry_id: UUID | None
    journal_line_id: UUID | None
    item_id: UUID | None
    entry: EntryOrigin | None = Field(description="The entry behind the rows; null where they have none.")
    rates: list[RateOrigin]
    exchange_rates: list[ExchangeOrigin] = Field(description="What costs in another currency were converted with.")
    invoice_ids: list[UUID]
    actuals: list[ActualOut]
