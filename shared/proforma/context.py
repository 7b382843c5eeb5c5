"""What a use case may know besides its database: time, fresh ids, limits and who asks."""

from dataclasses import dataclass, field
from uuid import UUID

from proforma.clock import Clock, Ids, SystemClock, derived_id, new_id
from proforma.settings import Limits


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the token's `sub`, its roles, and the projects it is narrowed to (None: all)."""

    sub: str
    roles: frozenset[str]
    projects: frozenset[str] | None = None

    def may(self, *roles: str) -> bool:
        """True when the caller holds one of `roles`, or is admin."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every use case; `actor` is written beside every change of state."""

    actor: str
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = new_id
    limits: Limits = field(default_factory=Limits)
    principal: Principal | None = None
    self_approval: bool = False
    idempotency_key: str | None = None
    path: str = ""

    def once_id(self) -> UUID:
        """An id that a repeat of the same call makes again: UUIDv5 of (principal, path, key), fresh without a key.

        Why: the answer of a call may be lost after its commit and its stored answer may have expired; the
        caller's second try must meet the first one's row instead of making a second one (design §5.13).
        """
        if self.idempotency_key is None:
            return self.ids()
        return derived_id(self.actor, self.path, self.idempotency_key)

    def once_ids(self, count: int) -> list[UUID]:
        """`count` ids that a repeat of the same call makes again, in the same order."""
        if self.idempotency_key is None:
            return [self.ids() for _ in range(count)]
        first = self.once_id()
        return [first, *(derived_id(first, n) for n in range(1, count))]
