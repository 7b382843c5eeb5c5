"""Bodies of postings."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from proforma.bodies import Input, Output, Reason
from proforma.events.billing_backlog import ControlTotals

PostingStatus = Literal["pending", "posted", "blocked"]


class BlockedDetail(Output):
    """A detail that does not match what is claimed, and why."""

    detail_id: UUID
    reason: str


class PostingOut(Output):
    """What a confirmed invoice has posted. `blocked`: the first 1,000 details that do not match."""

    invoice_id: UUID
    contract_id: UUID
    number: str
    status: PostingStatus
    reason: str | None
    wanted: ControlTotals
    posted: ControlTotals
    blocked: list[BlockedDetail]
    accepted_by: str | None
    accept_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class AcceptIn(Input):
    """Why the blocked details may be billed although nothing open stands behind them."""

    reason: Reason


class PostingQuery(Input):
    """The list's filters."""

    status: PostingStatus | None = None
    contract_id: UUID | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    after: str | None = Field(default=None, max_length=512)
