"""Bodies of run days."""

import datetime
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from billing_backlog.runs.schemas import LeftOutReason, RunKind
from proforma import pages
from proforma.bodies import Input, Output
from proforma.money import Amount


class DayAmountOut(Output):
    """What the day's runs claimed in one currency."""

    currency: str
    items: int
    amount: Amount


class RunDayOut(Output):
    """All runs of one run date together. What was released from drafts as whole claims is not counted."""

    date: datetime.date
    runs: int = Field(description="How many runs have this run date.")
    claimed: int = Field(description="Runs that took something.")
    skipped: int = Field(description="Runs that found nothing to bill.")
    failed: int = Field(description="Runs that broke and wait to be retried.")
    contracts: int = Field(description="How many contracts the runs are of.")
    invoices: int = Field(description="Drafts that invoicing has made of the runs' claims.")
    items: int
    amounts: list[DayAmountOut] = Field(description="What the runs took, a sum for each currency.")
    left_out: dict[LeftOutReason, int] = Field(
        description="Items of the runs' lines that were not taken, by reason; one that two runs left out counts twice."
    )


class RunDayFilter(Input):
    """Whose runs make the days."""

    contract_id: UUID | None = None
    kind: RunKind | None = None


class RunDayQuery(RunDayFilter):
    """Which days, and which page of them; both ends are included."""

    date_from: datetime.date | None = None
    date_to: datetime.date | None = None
    limit: pages.Limit = 100
    after: pages.After = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise ValueError("date_from lies after date_to")
        return self
