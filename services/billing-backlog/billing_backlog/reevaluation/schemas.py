"""Bodies of re-evaluation."""

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import Field, model_validator

from billing_backlog.reevaluation.rules import Kind
from proforma.bodies import ExternalId, Input, Output
from proforma.money import Amount, Price, SignedQuantity

KINDS = (
    "By kind: `to_line` (is sold from now on), `off_line` (is not any more), `other_line`, `billing_type`, `quantity`, "
    "`price`, `cost` (only that differs)."
)
Preview = Annotated[bool, Query(description="Answers what would change, and keeps nothing.")]


class ContractFilter(Input):
    """Which active contracts; an empty filter is all of them."""

    customer_id: UUID | None = None
    external_id: ExternalId | None = None


class ReevaluateIn(Input):
    """Either `ids` (1,000 at most) or a `filter`."""

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)
    filter: ContractFilter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self


class RowOut(Output):
    """A row of the ledger as it stands, or as it would be posted."""

    type: Literal["cost", "unbilled_sales"]
    contract_line_id: UUID | None
    billing_type: str | None
    quantity: SignedQuantity
    price: Price | None
    amount: Amount | None
    currency: str | None


class ExampleOut(Output):
    """One entry's change. With `refused` it is not made: `invoice_id`, where it is known, has the work."""

    entry_id: UUID
    kind: Kind
    refused: Literal["on_invoice", "posted"] | None
    invoice_id: UUID | None
    before: list[RowOut]
    after: list[RowOut]


class PreviewOut(Output):
    """What re-evaluating would do. Of more than 10,000 approved entries the first 10,000 are looked at."""

    entries: int = Field(description="Approved entries of the contracts' projects.")
    examined: int
    changed: int
    unchanged: int
    refused: int = Field(description="Would change, but an invoice has the work.")
    kinds: dict[Kind, int] = Field(description=KINDS)
    examples: list[ExampleOut] = Field(description="100 at most.")
