"""The relay's producer."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from proforma.kafka.bounded import bounded
from proforma.kafka.cluster import look
from proforma.kafka.errors import NotAllowed, Unauthorized
from proforma.kafka_access import KafkaAccess

_START_S = 15
_SEND_S = 20
# How soon a new partition is written to; the default is five minutes.
_METADATA_MS = 30_000


class Producer:
    """An idempotent producer of one connection's life: used in `async with`, thrown away when anything fails."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Raises OSError or TimeoutError when there is no way in: Refused or Unreachable say why."""
        await look(self._access)
        producer = AIOKafkaProducer(
            **self._access.client(),
            enable_idempotence=True,
            max_batch_size=1_000_000,
            max_request_size=1_048_576,
            linger_ms=0,
            compression_type=None,
            request_timeout_ms=10_000,
            metadata_max_age_ms=_METADATA_MS,
        )
        try:
            async with asyncio.timeout(_START_S):
                await producer.start()
        except BaseException as error:
            await bounded(producer.stop())
            if isinstance(error, Unauthorized):
                raise NotAllowed(f"{self._access.username} may write no topic: {error!r}") from error
            if isinstance(error, KafkaError):
                raise ConnectionError(f"Kafka does not answer: {error!r}") from error
            raise
        self._producer = producer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            await bounded(self._producer.stop())

    async def send_all(self, messages: Iterable[tuple[str, str, str, Sequence[tuple[str, bytes]]]]) -> None:
        """Sends (topic, key, body, headers) in order and waits for every acknowledgement.

        Raises OSError or TimeoutError when not all were acknowledged in time: an idempotent producer never
        gives up by itself (aiokafka 1101), and the caller's rows would wait unseen.
        """
        assert self._producer is not None, "used in `async with` only"  # noqa: S101
        prefix = self._access.prefix
        try:
            async with asyncio.timeout(_SEND_S):
                sent = [
                    await self._producer.send(prefix + topic, value=body.encode(), key=key.encode(), headers=headers)
                    for topic, key, body, headers in messages
                ]
                await asyncio.gather(*sent)
        except Unauthorized as error:
            raise NotAllowed(f"{self._access.username} may not write: {error!r}") from error
        except KafkaError as error:
            raise ConnectionError(f"Kafka did not take the messages: {error!r}") from error


@dataclass(frozen=True, slots=True)
class ProducerFactory:
    """Makes a fresh producer; an idempotent one that lost its broker must be thrown away, not reused."""

    access: KafkaAccess

    def __call__(self) -> Producer:
        return Producer(self.access)
