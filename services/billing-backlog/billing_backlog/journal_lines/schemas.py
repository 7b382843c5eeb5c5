"""Bodies of journal lines."""

import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from proforma import pages
from proforma.bodies import Code, Description, ExternalId, Input, Resource
from proforma.money import Amount, Price, Quantity, SignedQuantity

JournalClass = Literal["time", "expense", "material", "fee"]
Status = Literal["open", "canceled"]


def _from_zero(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("from 0 up")
    return value


Tax = Annotated[Amount, AfterValidator(_from_zero), Field(description="In the contract's currency, from 0 up.")]


class JournalLineIn(Input):
    """What is to be billed on somebody's word: time, expense or material without an entry, or a fee."""

    contract_line_id: UUID = Field(description="Of an active contract, on time and material.")
    item_class: JournalClass = Field(alias="class", description="Among the line's `includes`.", examples=["fee"])
    date: datetime.date = Field(description="Within the line's validity.", examples=["2026-03-01"])
    quantity: Quantity
    unit: Code | None = Field(default=None, description="Default: hour for time, else each.", examples=["each"])
    price: Price = Field(description="Per unit, in the contract's currency.", examples=["300.00"])
    tax: Tax = Decimal(0)
    description: Description | None = None
    external_description: Description | None = Field(default=None, description="Goes to the customer.")
    external_id: ExternalId | None = None


class JournalLineOut(Resource):
    """A journal line. Its item in the backlog has its id at first; a split or another billing type makes new ones."""

    external_id: str | None
    contract_id: UUID
    contract_line_id: UUID
    item_class: JournalClass = Field(alias="class")
    date: datetime.date
    quantity: SignedQuantity
    unit: str
    price: Price
    amount: Amount = Field(description="quantity × price, rounded once.")
    tax: Amount
    description: str | None
    external_description: str | None
    status: Status


class JournalLineFilter(Input):
    """Which journal lines, and which page of them."""

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    status: Status | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
