"""The Kafka out of its jars: it starts, stops, survives a kill, and finds another port."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local import kafka
from local.kafka import Kafka, answers
from local.postgres import blocking
from local.processes import LocalError, free_port

pytestmark = pytest.mark.xdist_group("kafka")
TOPIC = "kept"


async def _create(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    await admin.close()


async def _say(bootstrap: str, word: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, compression_type="zstd"
    ) as producer:
        await producer.send_and_wait(TOPIC, word)


async def _hear(bootstrap: str, count: int) -> list[bytes | None]:
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        return [(await consumer.getone()).value for _ in range(count)]


def test_messages_outlive_a_kill_and_a_stop(tmp_path: Path) -> None:
    broker = Kafka(tmp_path / "kafka", die_with_parent=True)
    try:
        address = broker.start()
        blocking(_create(address))
        blocking(_say(address, b"before the kill"))
        broker.kill()
        assert broker.running is None
        assert not answers(address)

        # A second command: it knows the folder only.
        again = Kafka(tmp_path / "kafka", keep_port=True, die_with_parent=True)
        assert again.start() == address, "services that still run look for it there"
        assert again.start() == address, "once more changes nothing"
        blocking(_say(address, b"after it"))
        assert blocking(_hear(address, 2)) == [b"before the kill", b"after it"]
        again.stop()
        assert again.running is None
    finally:
        broker.stop()


def test_a_broker_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kafka.SETTINGS, "num.io.threads", "none")
    broker = Kafka(tmp_path / "kafka", die_with_parent=True)
    with pytest.raises(LocalError, match=r"num\.io\.threads"):
        broker.start()
    assert broker.running is None


def test_no_answer_where_nobody_listens() -> None:
    assert not answers(f"127.0.0.1:{free_port()}")
