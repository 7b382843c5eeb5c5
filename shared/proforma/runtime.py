"""What a process of a service holds while it lives: settings, database, clock, ids. Passed in, never global."""

from dataclasses import dataclass, field
from pathlib import Path

from proforma.clock import Clock, Ids, SystemClock, new_id
from proforma.context import Context
from proforma.db import Database
from proforma.settings import ServiceSettings
from proforma.tracing import OFF, Tracing


@dataclass(frozen=True, slots=True)
class Runtime:
    """`service` is the hyphenated name (`time-expense`), `migrations` the folder of its history."""

    service: str
    settings: ServiceSettings
    database: Database
    migrations: Path
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = new_id
    tracing: Tracing = OFF

    def context(self, actor: str | None = None) -> Context:
        """A context for work that no person asked for: the service itself is the actor."""
        return Context(
            actor=actor or self.service,
            clock=self.clock,
            ids=self.ids,
            limits=self.settings.limits,
            self_approval=self.settings.self_approval,
        )

    @property
    def group(self) -> str:
        """The consumer group, and the inbox's and positions' name for it."""
        return f"{self.settings.topic_prefix}proforma.{self.service}"
