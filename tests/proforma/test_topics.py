"""Topics are made with our own settings, once, by whoever comes first."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from local.backend import Backend
from local.processes import free_port
from proforma.kafka import check, create_topics
from proforma.kafka_access import KafkaAccess
from proforma.settings import Limits
from proforma.topics import TOPICS, Topic
from tests.support.processes import process


async def settings_of(bootstrap: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {name: value for name, value, *_ in answer.resources[0][4]}
    finally:
        await admin.close()


async def test_they_are_made_once_with_our_settings(backend: Backend, topic_prefix: str) -> None:
    assert await create_topics(KafkaAccess(backend.kafka, topic_prefix), [Topic("a.b", 3, 14)]) == [
        f"{topic_prefix}a.b"
    ]
    assert await create_topics(KafkaAccess(backend.kafka, topic_prefix), [Topic("a.b", 3, 14)]) == []
    settings = await settings_of(backend.kafka, f"{topic_prefix}a.b")
    # Compaction would drop all but the newest event of a contract.
    assert settings["cleanup.policy"] == "delete"
    assert settings["retention.ms"] == str(14 * 24 * 3600 * 1000)


async def test_three_at_once_all_succeed(backend: Backend, topic_prefix: str) -> None:
    topics = [Topic(f"a.{number}", 1) for number in range(3)]
    made = await asyncio.gather(*(create_topics(KafkaAccess(backend.kafka, topic_prefix), topics) for _ in range(3)))
    assert sorted(name for one in made for name in one) == [f"{topic_prefix}a.{number}" for number in range(3)]


async def test_what_the_broker_refuses_is_said(backend: Backend, topic_prefix: str) -> None:
    with pytest.raises(KafkaError, match="a b"):
        await create_topics(KafkaAccess(backend.kafka, topic_prefix), [Topic("a b", 1)])
    with pytest.raises(KafkaError):
        await create_topics(KafkaAccess(backend.kafka, topic_prefix), [Topic("a.b", 1)], replication=3)


async def test_the_command_makes_all_of_ours(backend: Backend, topic_prefix: str) -> None:
    env = {"PROFORMA_KAFKA": backend.kafka, "PROFORMA_TOPIC_PREFIX": topic_prefix}
    async with process("proforma", "create-topics", env) as made:
        assert await made.ended() == 0, made.output
    assert sorted(made.output.split()) == sorted(topic_prefix + topic.name for topic in TOPICS)


def test_inbox_and_outbox_outlive_the_topics() -> None:
    """A repeat that a topic still holds must be recognised, and one that it lost be sent again."""
    longest = max(topic.retention_days for topic in TOPICS)
    assert longest < Limits().inbox_keep_days
    assert longest < Limits().outbox_keep_days
    assert {topic.config()["cleanup.policy"] for topic in TOPICS} == {"delete"}


async def test_a_broker_that_is_away_is_said(backend: Backend) -> None:
    await check(KafkaAccess(backend.kafka))
    with pytest.raises(OSError, match="Connect"):
        await check(KafkaAccess(f"127.0.0.1:{free_port()}"))
