"""Topics are made with our own settings, once, by whoever comes first."""

import argparse
import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from local.backend import Backend
from local.processes import free_port
from proforma import topic_command
from proforma.kafka.cluster import check, look
from proforma.kafka.topics import create_topics, grow_topics
from proforma.kafka_access import KafkaAccess
from proforma.settings import Limits
from proforma.topics import TOPICS, Topic
from tests.support.processes import process
from tests.support.waits import eventually


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


async def test_topics_grow_and_never_shrink(
    backend: Backend, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = KafkaAccess(backend.kafka, topic_prefix)
    await create_topics(access, [Topic("a.b", 2), Topic("a.c", 5)])
    wanted = [Topic("a.b", 4), Topic("a.c", 4)]
    assert await grow_topics(access, wanted) == [f"{topic_prefix}a.b"]

    async def grown() -> bool:
        seen = (await look(access, ["a.b", "a.c", "a.missing"])).topics
        return {name: topic.partitions for name, topic in seen.items()} == {"a.b": 4, "a.c": 5}

    await eventually(grown)
    assert await grow_topics(access, wanted) == []
    monkeypatch.setattr("proforma.kafka.topics._START_S", 1)
    with pytest.raises(TimeoutError):
        await grow_topics(access, [Topic("a.missing", 4)])


async def test_the_command_grows_those_that_it_is_told(
    backend: Backend, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROFORMA_KAFKA", backend.kafka)
    monkeypatch.setenv("PROFORMA_TOPIC_PREFIX", topic_prefix)
    claims = "billing-backlog.claims"

    async def command(*said: str) -> list[str]:
        parser = argparse.ArgumentParser()
        topic_command.add_arguments(parser)
        # The command has a loop of its own.
        await asyncio.to_thread(topic_command.run, parser.parse_args(said))
        return capsys.readouterr().out.split()

    assert await command("--topic", claims, "--partitions", "1") == [topic_prefix + claims]
    assert await command("--topic", claims, "--partitions", "3") == []
    assert await command("--topic", claims, "--partitions", "3", "--grow") == [topic_prefix + claims]

    async def grown() -> bool:
        return (await look(KafkaAccess(backend.kafka, topic_prefix), [claims])).topics[claims].partitions == 3

    await eventually(grown)
    for said, code, words in (
        (["--topic", "billing-backlog.claim"], 2, "no such topic: billing-backlog.claim"),
        (["--partitions", "0"], 2, "not between 1 and"),
    ):
        with pytest.raises(SystemExit) as ended:
            await command(*said)
        assert ended.value.code == code
        assert words in capsys.readouterr().err
    monkeypatch.setenv("PROFORMA_KAFKA", f"127.0.0.1:{free_port()}")
    with pytest.raises(SystemExit) as ended:
        await command()
    assert ended.value.code == 1
    assert "Unreachable" in capsys.readouterr().err
    monkeypatch.setenv("PROFORMA_KAFKA", "localhost")
    with pytest.raises(SystemExit) as ended:
        await command()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'localhost' is not host:port" in line
