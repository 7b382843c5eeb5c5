"""The topics, with partitions and retention: made explicitly, a broker's defaults would lose or compact them."""

from dataclasses import dataclass

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """`retention_days` stays below the days that inbox and outbox are kept, so that a repeat is always recognised."""

    name: str
    partitions: int = 12
    retention_days: int = 14

    def config(self) -> dict[str, str]:
        # Compaction would drop all but the newest event of a contract: lost approvals (design §5.10).
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * _DAY_MS)}


TOPICS = (
    Topic("time-expense.entries"),
    Topic("billing-backlog.contracts"),
    Topic("billing-backlog.claims"),
    Topic("billing-backlog.answers"),
    Topic("billing-backlog.actuals"),
    Topic("invoicing.invoices"),
    Topic("scheduler.triggers"),
)
