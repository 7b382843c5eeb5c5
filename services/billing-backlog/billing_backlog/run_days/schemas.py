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
    amount: Amount = Field(description="The chargeable part of what was claimed.")


class RunDayOut(Output):
    """All runs of one run date together. What was released from drafts as whole claims is not counted."""

    date: datetime.date
    runs: int = Field(description="Runs of that date, whatever became of them.")
    claimed: int = Field(description="Runs that have claimed something.")
    skipped: int = Field(description="Runs that had nothing to bill.")
    failed: int = Field(description="Runs that broke and wait to be retried; what they claimed before is counted.")
    contracts: int = Field(description="Contracts with a run of that date.")
    invoices: int = Field(description="Drafts that invoicing has made of the runs' claims.")
    items: int = Field(description="Items that the runs' claims have taken.")
    amounts: list[DayAmountOut] = Field(description="By currency, in the order of its code.")
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
