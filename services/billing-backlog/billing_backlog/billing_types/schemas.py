"""Body of set-billing-type."""

from pydantic import Field

from billing_backlog.backlog.schemas import BulkIn
from proforma.events.time_expense import BillingType


class SetBillingTypeIn(BulkIn):
    """Which items, and what they become. What is not chargeable stays on the invoice and adds nothing to its total."""

    billing_type: BillingType = Field(examples=["non_chargeable"])
