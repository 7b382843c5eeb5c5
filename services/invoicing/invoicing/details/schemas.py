"""Bodies of lines and details."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from invoicing.invoices.rules import BillingType
from proforma.bodies import Input, Output
from proforma.money import Amount, AmountSum, Price, Quantity


class LineOut(Output):
    """What an invoice bills of one contract line. Amounts by billing type; only chargeable ones are owed."""

    id: UUID
    contract_line_id: UUID
    name: str
    kind: Literal["project", "product"]
    billing_method: Literal["time_and_material", "fixed_price"] | None
    cut_off: date | None = Field(description="Work is taken up to this day.")
    currency: str
    chargeable: AmountSum
    non_chargeable: AmountSum
    complimentary: AmountSum
    tax: AmountSum = Field(description="Of the chargeable details.")
    total: AmountSum = Field(description="chargeable + tax.")
    details: int


class DetailOut(Output):
    """One billed item. `amount` was rounded once, when the item was made; it is stored, not computed again."""

    id: UUID
    contract_line_id: UUID
    item_class: Literal["time", "expense", "material", "milestone", "product", "fee"] = Field(alias="class")
    source: Literal["backlog", "milestone", "product", "hand"]
    claim_id: UUID | None
    item_id: UUID | None
    entry_id: UUID | None
    project: str | None
    task: str | None
    resource: str | None
    role: str | None
    category: str | None
    product: str | None
    description: str | None = Field(description="Internal.")
    external_description: str | None = Field(description="For the customer.")
    date: date
    quantity: Quantity
    unit: str
    price: Price
    amount: Amount
    tax: Amount
    currency: str
    billing_type: BillingType


class RemoveIn(Input):
    """The details to remove."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]
