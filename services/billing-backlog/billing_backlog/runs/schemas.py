"""Bodies of invoice runs and of create-invoice."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from proforma.bodies import ExternalId, Input, Output, Resource
from proforma.money import Amount

RunKind = Literal["manual", "scheduled"]
RunStatus = Literal["claimed", "skipped", "failed"]
LeftOutReason = Literal[
    "no_price", "no_exchange_rate", "not_ready", "milestones_do_not_add_up", "future_dated", "before_billing_start",
    "after_contract_end", "after_cut_off", "on_invoice",
]  # fmt: skip


class CreateInvoiceIn(Input):
    """`run_date`: default today in the contract's zone, never in its future. `cut_off`: default the run date."""

    run_date: date | None = None
    cut_off: date | None = None
    item_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)


class ClaimIn(Input):
    """The items to take on to the run's draft: work, milestones and product lines that are ready."""

    item_ids: list[UUID] = Field(min_length=1, max_length=1000)


class ContractFilter(Input):
    """Which active contracts a bulk create-invoice takes; an empty filter takes all of them."""

    customer_id: UUID | None = None
    external_id: ExternalId | None = None


class CreateInvoicesIn(Input):
    """Either `ids` (1,000 at most) or a `filter`; the dates as for one contract."""

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)
    filter: ContractFilter | None = None
    run_date: date | None = None
    cut_off: date | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "CreateInvoicesIn":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self


class RunClaimOut(Output):
    """One taking of items under the run; `invoice_id` is known once invoicing has drafted it."""

    id: UUID
    invoice_id: UUID | None
    items: int
    amount: Amount
    drafted: bool
    released: bool


class RunLineOut(Output):
    """What a line gave, and how many of its items were left out, by reason, when the run took place."""

    contract_line_id: UUID
    cut_off: date | None = Field(description="Null: only chosen items of the line were taken.")
    items: int
    amount: Amount
    left_out: dict[LeftOutReason, int]


class RunOut(Resource):
    """A run. `skipped`: there was nothing to bill; the lines say why. `failed`: something of it broke, see `reason`;
    what it has claimed before stays claimed, and `retry` takes the rest."""

    kind: RunKind
    contract_id: UUID
    run_date: date
    status: RunStatus
    reason: str | None
    currency: str
    items: int = Field(description="Of all claims that were not released as a whole.")
    amount: Amount
    claims: list[RunClaimOut]
    lines: list[RunLineOut]


class LeftOutOut(Output):
    """An item of the run's lines that is not on it, with the reason as of now."""

    item_id: UUID
    contract_line_id: UUID
    entry_id: UUID | None
    date: date
    amount: Amount | None
    reason: LeftOutReason
    invoice_id: UUID | None


class RunQuery(Input):
    """The list's filters."""

    contract_id: UUID | None = None
    kind: RunKind | None = None
    status: RunStatus | None = None
    run_date: date | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    after: str | None = Field(default=None, max_length=512)


class LeftOutQuery(Input):
    """The page of a run's left-out items."""

    reason: LeftOutReason | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    after: str | None = Field(default=None, max_length=512)
