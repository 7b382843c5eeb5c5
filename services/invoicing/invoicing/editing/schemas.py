"""Bodies of editing details and of adding them by hand."""

from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from invoicing.details.schemas import DetailFilter
from invoicing.invoices.rules import BillingType
from invoicing.invoices.schemas import Day
from proforma.bodies import UNSENT, Code, Description, Input, Patch, Reason
from proforma.money import Amount, Price, Quantity, QuantityFromZero


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("zero or more")
    return value


AmountFromZero = Annotated[Amount, AfterValidator(_not_negative)]
"""In the currency's minor units, not below zero."""


class DetailEdit(Patch):
    """What may be edited depends on the detail: a field that it does not have editable is refused, naming those it has.

    Work from the backlog: billing type, quantity, price, tax, texts. Milestone and product line: tax, texts. Added by
    hand: everything but the class. On a corrective: quantity (from 0), price, tax, texts; of a milestone or product
    line amount and tax.
    """

    billing_type: BillingType = UNSENT
    quantity: QuantityFromZero = Field(default=UNSENT, description="Zero on a corrective only: there, what is billed.")
    price: Price = UNSENT
    amount: AmountFromZero = Field(default=UNSENT, description="Of a corrective's milestone or product line.")
    tax: AmountFromZero = Field(default=UNSENT, description="Unless given, it scales with the quantity.")
    date: Day = UNSENT
    unit: Code = UNSENT
    project: Code | None = UNSENT
    task: Code | None = UNSENT
    resource: Code | None = UNSENT
    role: Code | None = UNSENT
    category: Code | None = UNSENT
    product: Code | None = UNSENT
    description: Description | None = Field(default=UNSENT, description="Internal.")
    external_description: Description | None = Field(default=UNSENT, description="For the customer.")
    remainder: Literal["write_off", "return"] = Field(
        default=UNSENT,
        description="What becomes of a reduced quantity at confirm: non-chargeable on this invoice (`write_off`, unless"
        " said otherwise), or back to the backlog, not ready (`return`).",
    )
    reason: Reason | None = Field(default=UNSENT, description="Why; kept in the history.")


class DetailEditItem(DetailEdit):
    """One detail of a bulk edit and its fields."""

    id: UUID


class DetailsUpdate(DetailEdit):
    """Either `items`, each with its own fields, or `ids` or a `filter` and the fields that all of them get."""

    items: Annotated[list[DetailEditItem], Field(min_length=1, max_length=1000)] = UNSENT
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] = UNSENT
    filter: DetailFilter = UNSENT

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        sent = self.model_fields_set
        if len(sent & {"items", "ids", "filter"}) != 1:
            raise ValueError("either items, or ids or filter with fields")
        if "items" in sent and len(sent) > 1:
            raise ValueError("the fields of items stand in the items")
        if "items" in sent and len({item.id for item in self.items}) < len(self.items):
            raise ValueError("each detail once")
        return self


class HandIn(Input):
    """A detail added by hand: work that no claim brought, with its price."""

    item_class: Literal["time", "expense", "material", "fee"] = Field(
        alias="class", description="One that the contract line includes."
    )
    contract_line_id: UUID = Field(description="A contract line that the invoice has a line of.")
    date: Day
    quantity: Quantity
    price: Price
    unit: Code | None = Field(default=None, description="Unless given: `hour` for time, `each` for anything else.")
    billing_type: BillingType = "chargeable"
    tax: AmountFromZero = Decimal(0)
    project: Code | None = None
    task: Code | None = None
    resource: Code | None = None
    role: Code | None = None
    category: Code | None = None
    product: Code | None = None
    description: Description | None = Field(default=None, description="Internal.")
    external_description: Description | None = Field(default=None, description="For the customer.")
