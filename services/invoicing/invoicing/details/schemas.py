"""Bodies of lines and details."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from invoicing.invoices.rules import BillingType
from proforma.bodies import Code, Input, Output
from proforma.money import Amount, AmountSum, Price, QuantityFromZero
from proforma.pages import After, Limit

DetailClass = Literal["time", "expense", "material", "milestone", "product", "fee"]
DetailSource = Literal["backlog", "milestone", "product", "hand"]


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


class FiguresOut(Output):
    """The figures of a detail at one moment."""

    quantity: QuantityFromZero
    price: Price
    amount: Amount
    tax: Amount
    billing_type: BillingType


class ReplacedBy(Output):
    """Where a corrected detail goes on."""

    invoice_id: UUID
    detail_id: UUID


class DetailOut(Output):
    """One billed item. `amount` was rounded once, when the item was made; it is stored, not computed again."""

    id: UUID
    contract_line_id: UUID
    item_class: DetailClass = Field(alias="class")
    source: DetailSource
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
    quantity: QuantityFromZero = Field(description="Zero on a corrective only: nothing of the original stays billed.")
    unit: str
    price: Price
    amount: Amount
    tax: Amount
    currency: str
    billing_type: BillingType
    was: FiguresOut | None = Field(
        description="As claimed, once it was edited; on a corrective as the original has it."
    )
    remainder: Literal["write_off", "return"] | None = Field(description="What becomes of a reduced quantity.")
    written_off_from: UUID | None = Field(description="The detail whose reduced quantity left this rest.")
    original_detail_id: UUID | None = Field(description="On a corrective: the detail that this one replaces.")
    original_quantity: QuantityFromZero | None
    original_amount: Amount | None
    delta_amount: Amount | None = Field(description="amount - original_amount: what the corrective adds to the total.")
    replaced_by: ReplacedBy | None = Field(description="The detail of a confirmed corrective that replaces this one.")

    @classmethod
    def of(cls, row: Mapping[str, Any], currency: str, replaced_by: Mapping[str, Any] | None) -> Self:
        """From a detail's row."""
        names = ("quantity", "price", "amount", "tax", "billing_type")
        corrects = row["original_detail_id"] is not None
        shown = {
            "currency": currency,
            "was": None if row["was_quantity"] is None else {name: row[f"was_{name}"] for name in names},
            "original_quantity": row["was_quantity"] if corrects else None,
            "original_amount": row["was_amount"] if corrects else None,
            "delta_amount": row["amount"] - row["was_amount"] if corrects else None,
            "replaced_by": dict(replaced_by) if replaced_by else None,
        }
        return cls.model_validate({**row, **shown})


class DetailFilter(Input):
    """Which details of an invoice; all that is given must hold, nothing given is all of them."""

    contract_line_id: UUID | None = None
    item_class: DetailClass | None = Field(default=None, alias="class")
    source: DetailSource | None = None
    claim_id: UUID | None = None
    item_id: UUID | None = None
    entry_id: UUID | None = None
    project: Code | None = None
    task: Code | None = None
    resource: Code | None = None
    role: Code | None = None
    category: Code | None = None
    product: Code | None = None
    billing_type: BillingType | None = None
    date_from: date | None = Field(default=None, description="This day and later.")
    date_to: date | None = Field(default=None, description="This day and earlier.")


class DetailQuery(DetailFilter):
    """The list's query."""

    limit: Limit = 100
    after: After = None


class RemoveIn(Input):
    """The details to remove: `ids` (1,000 at most) or a `filter`."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None
    filter: DetailFilter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self
