"""Compares the database with the service's own topics: at a worker's start, and whenever nobody knows any more."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import known
from proforma.failures import is_deterministic
from proforma.kafka.errors import Away, Refused
from proforma.kafka.reader import Reader
from proforma.runtime import Runtime
from proforma.said import Said, Standing, Walk
from proforma.telemetry import logger

_ASK_S = 1.0
_LOOK_AGAIN_S = 5.0

log = logger()


class History:
    """Decides whether this database may go on saying things; everything that writes waits for it (`known.require`)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.problem: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Looks once at the start, then whenever the database is another one or was found wanting, until `stop`."""
        looked = False
        while not stop.is_set():
            try:
                if not looked or await self.why_not() is not None:
                    await self.compare()
                    looked = True
                self.problem = None
            except Exception as error:
                if is_deterministic(error) and not isinstance(error, Away):
                    raise
                self._interrupted(error)
            await _wait(stop, _ASK_S if looked and self.problem is None else _LOOK_AGAIN_S)

    async def until_known(self, stop: asyncio.Event) -> None:
        """Returns when the database is known to be complete, or at `stop`."""
        while not stop.is_set():
            try:
                if await self.why_not() is None:
                    return
            except Exception as error:
                if is_deterministic(error):
                    raise
            await _wait(stop, 0.1)

    async def why_not(self) -> str | None:
        """What keeps the service from writing, as the database has it."""
        async with self._runtime.database.transaction() as session:
            return await known.why_not(session)

    async def compare(self) -> str | None:
        """Looks into the topics, keeps the result in the database, and says it in one log line when it is new."""
        settings = self._runtime.settings
        async with (
            Reader(settings.kafka_access) as reader,
            self._runtime.database.transaction() as session,
        ):
            why = await doubt(reader, session, self._runtime.service)
            if why is None:
                if await known.mark(session):
                    log.info("history.complete")
            elif await known.doubt(session, why, self._runtime.clock.now()):
                log.error("history.incomplete", why=why)
        return why

    def _interrupted(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        # Tried again every few seconds: one line is enough. The watch has one for a login that is refused.
        if problem != self.problem and not isinstance(error, Refused):
            log.warning("history.interrupted", problem=problem)
        self.problem = problem


async def doubt(reader: Reader, session: AsyncSession, service: str) -> str | None:
    """Why the database cannot have said all that its topics hold; None when it has."""
    async for one, standing in Walk(reader, service)(session):
        if standing != "sent":
            return _sentence(one, standing, service.replace("-", "_"))
    return None


def _sentence(one: Said, standing: Standing, package: str) -> str:
    what = f"{one.place} holds event {one.event_id} of {one.record.header('ce_time')}"
    if standing == "stranger":
        return (
            f"another database has spoken for this service: {what}, of origin {one.origin}; when that is meant:"
            f" `python -m {package} restore adopt {one.origin} --reason …`"
        )
    return (
        f"the database is older than what it has said: {what}, outbox id {one.outbox_id}, which its outbox does not"
        f" have; see `python -m {package} restore list` and docs/operations.md, Restore"
    )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
