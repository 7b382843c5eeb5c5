"""Connections that outlive the test that made them."""

from sqlalchemy import event

from proforma.db import Database
from proforma.settings import ServiceSettings

_OF_CONNECTIONS = (
    "pool_size", "pool_wait_s", "statement_timeout_s", "lock_timeout_s", "idle_in_transaction_timeout_s",
)  # fmt: skip
"""The settings that connections are made with."""


def kind_of(settings: ServiceSettings) -> tuple[object, ...]:
    """What connections of these settings have in common; others need connections of their own."""
    return tuple(getattr(settings, name) for name in _OF_CONNECTIONS)


class KeptDatabase(Database):
    """The service's own connections to a lent database, kept from test to test.

    Every connection is a new process of the server with empty caches, which costs more than what most tests ask it.
    """

    def __init__(self, settings: ServiceSettings, role: str) -> None:
        super().__init__(settings, role)
        self._pids: set[int] = set()
        event.listen(
            self.engine.sync_engine, "connect", lambda made, _: self._pids.add(made.driver_connection.get_server_pid())
        )

    async def close(self) -> None:
        """Whoever has it thinks that it is over; the next test goes on with it."""

    async def idle(self) -> set[int]:
        """The server's processes behind it, when nobody works with it; a connection that was forgotten ends all."""
        if self.pool()[0]:
            await self.end()
        return self._pids

    async def end(self) -> None:
        """Really closes it."""
        self._pids.clear()
        await super().close()
