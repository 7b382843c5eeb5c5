"""Bodies of the verbs, for one entry and for many."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from proforma.bodies import Input, Reason
from proforma.events.time_expense import BillingType
from proforma.money import QuantityFromZero
from time_expense.entries.schemas import EntryFilter

BillableQuantity = Annotated[
    QuantityFromZero, Field(description="What the customer is to pay for: from 0 up, also above the quantity.")
]


class Approval(Input):
    """What the approver sets; nothing: the whole quantity is billable, and the contract line says how."""

    billable_quantity: BillableQuantity | None = None
    billing_type: BillingType | None = Field(default=None, description="Wins over the contract line.")


class Rejection(Input):
    """Why it is rejected: the submitter reads it."""

    reason: Reason = Field(examples=["wrong project"])


class CancelApproval(Input):
    """Why the approval is to be canceled: kept in the history and told to the ledger."""

    reason: Reason = Field(examples=["8 hours instead of 6"])


class Selection(Input):
    """The entries of a bulk call: `ids`, up to 1,000, or a `filter`. A filter over more than 1,000 becomes a job."""

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)
    filter: EntryFilter | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if len(self.model_fields_set & {"ids", "filter", "items"}) != 1 or not self._chosen():
            raise ValueError(f"send one of {', '.join(self._ways())}")
        return self

    def _chosen(self) -> bool:
        return any(getattr(self, way) is not None for way in self._ways())

    @classmethod
    def _ways(cls) -> list[str]:
        return [way for way in ("ids", "filter", "items") if way in cls.model_fields]


class ApprovalItem(Approval):
    """One entry of a bulk approval; what it does not set, the call's own fields do."""

    id: UUID


class BulkApproval(Selection, Approval):
    """Approves many; `items` instead of `ids` where entries differ."""

    items: list[ApprovalItem] | None = Field(default=None, min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [item.id for item in self.items or []]
        if len(set(ids)) != len(ids):
            raise ValueError("an entry stands twice in items")
        return self


class BulkRejection(Selection, Rejection):
    """Rejects many, for one reason."""


class BulkCancelApproval(Selection, CancelApproval):
    """Asks to cancel many approvals, for one reason."""
