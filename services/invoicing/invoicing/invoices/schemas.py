"""Bodies of invoices: what is shown, filtered by and edited."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from invoicing.invoices.rules import Kind, Posting, Status
from proforma.bodies import UNSENT, Code, Description, Input, Output, Patch, Reason, Resource
from proforma.money import AmountSum
from proforma.pages import After, Limit

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)


def _plausible(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"between {FIRST_DAY} and {LAST_DAY}")
    return day


Day = Annotated[date, AfterValidator(_plausible), Field(examples=["2026-03-31"])]
"""A business date, without a time zone."""


class CustomerOut(Output):
    """The customer as it was when the first claim of the invoice was taken; later changes do not reach it."""

    id: UUID
    name: str
    billing_address: str | None
    payment_terms_days: int | None
    tax_id: str | None


class InvoiceOut(Resource):
    """A proforma invoice. Amounts are in `currency`; `details` and `lines` count what it has."""

    number: str | None = Field(description="Given at confirm, without gaps.", examples=["PF-2026-000001"])
    kind: Kind
    status: Status = Field(description="`building`: chunks of a claim are still to come.")
    run_id: UUID | None
    contract_id: UUID
    contract_name: str
    customer: CustomerOut
    currency: str = Field(examples=["EUR"])
    invoice_date: date
    accounting_date: date | None = Field(description="Null until confirm, unless set: then the day of confirm, in UTC.")
    description: str | None
    original_id: UUID | None
    subtotal: AmountSum = Field(description="Sum of the chargeable amounts.")
    tax: AmountSum = Field(description="Sum of the taxes of the chargeable amounts.")
    total: AmountSum = Field(description="subtotal + tax.")
    details: int
    lines: int
    posting: Posting = Field(description="Whether the ledger has the confirmed invoice.")
    posting_reason: str | None
    confirmed_by: str | None
    confirmed_at: datetime | None


class InvoiceFilter(BaseModel):
    """Filters of the list; all that are given must hold."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    kind: Kind | None = None
    contract_id: UUID | None = None
    customer_id: UUID | None = None
    number: Code | None = None
    run_id: UUID | None = None
    invoice_date_from: date | None = None
    invoice_date_to: date | None = None
    limit: Limit = 100
    after: After = None


class InvoiceEdit(Patch):
    """What may be edited on a draft. Any edit that does not say its `status` sends `in_review` back to `draft`."""

    invoice_date: Day = UNSENT
    accounting_date: Day | None = Field(default=UNSENT, description="Null: the day of confirm.")
    description: Description | None = UNSENT
    status: Literal["draft", "in_review"] = UNSENT


class WhyIn(Input):
    """Why; kept in the history."""

    reason: Reason | None = None


class HistoryOut(Output):
    """One thing that happened. `before` and `after` hold the fields that changed."""

    id: UUID
    at: datetime
    by: str
    action: str = Field(examples=["confirmed"])
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, row: Any) -> Any:
        texts = {name: json.loads(row[name]) if row[name] else None for name in ("before", "after")}
        return {**row, **texts}


class PageQuery(BaseModel):
    """The place in a list without filters."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    after: After = None
