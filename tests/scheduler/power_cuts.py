"""Cuts the power at a wait of our choice: the connections are gone at that instant, and so is the coroutine."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

import asyncpg
from sqlalchemy import event

from proforma.db import Database
from proforma.settings import ServiceSettings


class FragileDatabase(Database):
    """Knows its connections, so that all can end at once, without a word to the server."""

    def __init__(self, settings: ServiceSettings, role: str) -> None:
        super().__init__(settings, role)
        self._alive: list[asyncpg.Connection[asyncpg.Record]] = []
        event.listen(self.engine.sync_engine, "connect", lambda made, _: self._alive.append(made.driver_connection))

    async def connect(self, **server_settings: str) -> "asyncpg.Connection[asyncpg.Record]":
        """As the database's own."""
        connection = await super().connect(**server_settings)
        self._alive.append(connection)
        return connection

    def cut(self) -> None:
        """As the kernel closes a killed process's sockets."""
        for connection in self._alive:
            connection.terminate()


class Until:
    """`await Until(work, n, database)`: does `work` up to its wait number `n`; `waits` says how many there were.

    At that wait the database's connections end and the work is canceled: what its cleanup does, it does without a
    database. `was_cut` is False when the work was over before.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], n: int, database: FragileDatabase) -> None:
        self._work = work
        self._n = n
        self._database = database
        self.waits = 0
        self.was_cut = False

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield from self._steps()
        except BaseException:
            # The cleanup may fail with what it finds instead of a database; that is part of being cut.
            if not self.was_cut:
                raise
        if self.was_cut:
            _this_task().uncancel()

    def _steps(self) -> Generator[Any, Any, None]:
        awaited = self._next(None)
        while awaited is not self:
            self.waits += 1
            if self.waits == self._n:
                self.was_cut = True
                self._database.cut()
                _this_task().cancel()
            try:
                yield awaited
            except BaseException as error:
                awaited = self._next(error)
            else:
                awaited = self._next(None)

    def _next(self, error: BaseException | None) -> Any:
        try:
            return self._work.send(None) if error is None else self._work.throw(error)
        except StopIteration:
            return self


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task
