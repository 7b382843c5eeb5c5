"""Says once when Kafka is not to be had, and once when it is back: everything else here tries again and again."""

import asyncio

from proforma.kafka.cluster import check
from proforma.kafka.errors import Refused, Unreachable
from proforma.kafka_access import KafkaAccess
from proforma.telemetry import KAFKA_REACHED, logger

_FINE_S = 10
_WRONG_S = 3

log = logger()


class KafkaWatch:
    """Looks every few seconds; a log line when what it sees changes.

    The clients do not tell: a consumer without a broker, or one whose password is not taken any more, looks like one
    without messages.
    """

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self.problem: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            await self._look()
            try:
                async with asyncio.timeout(_WRONG_S if self.problem else _FINE_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        was = self.problem
        try:
            await check(self._access)
            self.problem = None
            if was is not None:
                log.info("kafka.back", address=self._access.bootstrap)
        except Refused as error:
            self.problem = f"refused: {error}"
            if self.problem != was:
                log.error("kafka.refused", problem=str(error), username=self._access.username)
        except (Unreachable, OSError) as error:
            self.problem = f"unreachable: {error}"
            # The words differ from try to try; that it is away is said once.
            if was is None or not was.startswith("unreachable"):
                log.error("kafka.unreachable", problem=str(error))
        KAFKA_REACHED.set(0 if self.problem else 1)
