"""Bodies of marking as paid."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from invoicing.invoices.rules import Kind
from proforma.bodies import Code, Input


class PaidFilter(Input):
    """Which confirmed invoices; all that is given must hold."""

    kind: Kind | None = None
    contract_id: UUID | None = None
    customer_id: UUID | None = None
    number: Code | None = None
    run_id: UUID | None = None
    invoice_date_from: date | None = Field(default=None, description="This day and later.")
    invoice_date_to: date | None = Field(default=None, description="This day and earlier.")


class PaidIn(Input):
    """The invoices that are paid: `ids` (1,000 at most) or a `filter`, which finds those that are confirmed."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None
    filter: PaidFilter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self
