"""How many rows a statement looks at: its plan as it ran. Not in seconds, which tell of the machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

_EXPLAINABLE = ("with", "select", "insert", "update", "delete")
_REMOVED = ("Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")


@dataclass(frozen=True)
class Ran:
    """One statement, and how many rows the nodes of its plan looked at, all together."""

    sql: str
    rows: int


def looked_at(plan: Mapping[str, Any]) -> int:
    """The rows that this node and those below it gave or threw away, over all of their loops."""
    own = (plan["Actual Rows"] + sum(plan.get(name, 0) for name in _REMOVED)) * plan["Actual Loops"]
    return int(own) + sum(looked_at(below) for below in plan.get("Plans", ()))


def watched(ran: list[Ran]) -> type[asyncpg.Connection]:
    """A class of connections that run every statement twice: to see its plan, taken back, and for their caller."""

    class Watched(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types of its own
        async def _look(self, sql: str, args: tuple[Any, ...]) -> None:
            if not self.is_in_transaction() or not sql.lstrip().lower().startswith(_EXPLAINABLE):
                return
            taken_back = self.transaction()
            await taken_back.start()
            try:
                found = await super().fetchval(f"explain (analyze, timing off, format json) {sql}", *args)
            finally:
                await taken_back.rollback()
            # Text, or what SQLAlchemy has told this connection to make of JSON.
            ran.append(Ran(sql, looked_at((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])))

        async def fetch(self, sql: str, *args: Any, **how: Any) -> Any:
            await self._look(sql, args)
            return await super().fetch(sql, *args, **how)

        async def fetchrow(self, sql: str, *args: Any, **how: Any) -> Any:
            await self._look(sql, args)
            return await super().fetchrow(sql, *args, **how)

        async def fetchval(self, sql: str, *args: Any, **how: Any) -> Any:
            await self._look(sql, args)
            return await super().fetchval(sql, *args, **how)

        async def execute(self, sql: str, *args: Any, **how: Any) -> Any:
            await self._look(sql, args)
            return await super().execute(sql, *args, **how)

    return Watched
