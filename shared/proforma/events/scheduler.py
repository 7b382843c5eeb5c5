"""What the scheduler says: one trigger for each contract line and run date."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from proforma.envelope import Event


class RunDue(Event):
    """The contract line is due on `run_date`. billing-backlog's own row decides whether it runs, and its cut-off."""

    TYPE: ClassVar[str] = "proforma.scheduler.run.due.v1"
    TOPIC: ClassVar[str] = "scheduler.triggers"

    contract_id: UUID
    contract_line_id: UUID
    run_date: date
    row_id: UUID
    schedule_version: int

    def key(self) -> str:
        return str(self.contract_id)
