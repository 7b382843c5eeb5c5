"""TLS, SASL and client certificates against a real broker; and what is said when there is no way in."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from proforma import outbox
from proforma.kafka.cluster import check
from proforma.kafka.errors import Refused, Unreachable
from proforma.kafka.topics import create_topics
from proforma.kafka_access import KafkaAccess
from proforma.runtime import Runtime
from proforma.settings import KafkaSettings
from proforma.topics import TOPICS, Topic
from proforma.worker import Worker, _health_app
from tests.conftest import MakeRuntime
from tests.kafka.acls import allow
from tests.kafka.conftest import PASSWORDS, SecureKafka
from tests.support.probe import SERVICE, Told
from tests.support.processes import process
from tests.support.rows import value
from tests.support.waits import eventually, running

pytestmark = pytest.mark.xdist_group("secure-kafka")
TOPIC = "probe.things"


def access(**settings: Any) -> KafkaAccess:
    return KafkaSettings(**settings).kafka_access


async def emit(runtime: Runtime, value_: str) -> None:
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name="k", value=value_)])


async def ready(runtime: Runtime, worker: Worker) -> tuple[int, dict[str, str]]:
    transport = httpx.ASGITransport(_health_app(runtime, worker))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/health/ready")
        return answer.status_code, answer.json()["dependencies"]


@pytest.mark.parametrize(
    "how",
    [
        lambda kafka: kafka.login("probe"),
        lambda kafka: kafka.login("probe", kafka_sasl_mechanism="SCRAM-SHA-256"),
        lambda kafka: kafka.login("probe", kafka_sasl_mechanism="PLAIN"),
        lambda kafka: {
            "kafka": kafka.secure.address("PLAINLOGIN"), "kafka_security": "sasl_plaintext",
            "kafka_username": "probe", "kafka_password": PASSWORDS["probe"],
        },
        lambda kafka: kafka.mutual(),
        # One of several addresses is enough.
        lambda kafka: kafka.login("probe", kafka=f"127.0.0.1:1,{kafka.secure.address('LOGIN')}"),
    ],
)  # fmt: skip
async def test_every_way_in(secure_kafka: SecureKafka, how: Callable[[SecureKafka], dict[str, Any]]) -> None:
    await check(access(**how(secure_kafka)))


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        (lambda k: k.login("probe", kafka_password="x"), Refused, r"refuses the login of probe \(SCRAM-SHA-512\)"),
        (lambda k: k.login("probe", kafka_username="eve"), Refused, "refuses the login of eve"),
        (lambda k: k.login("probe", kafka_password="x", kafka_sasl_mechanism="PLAIN"), Refused, "refuses the login"),
        (lambda k: k.login("probe", kafka_ca_file=k.stranger.file), Refused, "no TLS with .*unable to get local"),
        (lambda k: k.login("probe", kafka_ca_file=None), Refused, "no TLS with .*unable to get local issuer"),
        (lambda k: k.mutual(kafka_cert_file=None, kafka_key_file=None), Unreachable, "client's certificate wanted"),
        (lambda k: k.mutual(kafka_cert_file=k.stranger.issue("eve"), kafka_key_file=k.stranger.issue("eve")),
         Unreachable, "client's certificate wanted"),
        (lambda k: {"kafka": k.secure.address("LOGIN")}, Unreachable, "speak plaintext, as PROFORMA_KAFKA_SECURITY"),
        (lambda k: k.login("probe", kafka="127.0.0.1:1"), Unreachable, "127.0.0.1:1: ConnectionRefusedError"),
        (lambda k: k.login("probe", kafka=k.plain), Unreachable, "speak sasl_tls, as PROFORMA_KAFKA_SECURITY"),
    ],
)  # fmt: skip
async def test_no_way_in_is_said_in_words(
    secure_kafka: SecureKafka, how: Callable[[SecureKafka], dict[str, Any]], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await check(access(**how(secure_kafka)))


async def test_a_client_certificate_sends_and_consumes(
    make_runtime: MakeRuntime, secure_kafka: SecureKafka, topic_prefix: str
) -> None:
    runtime = await make_runtime("probe", **secure_kafka.mutual())
    await create_topics(secure_kafka.access(topic_prefix), [Topic(TOPIC, 1)])
    async with running(Worker(runtime, SERVICE.work(runtime))):
        await emit(runtime, "1")
        await eventually(lambda: value(runtime, "select count(*) = 1 from effects"))


def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proforma.relay._REFUSED_PAUSE_S", 0.05)
    monkeypatch.setattr("proforma.consumer._PAUSE_S", (0.05,))
    monkeypatch.setattr("proforma.kafka_watch._WRONG_S", 0.05)
    monkeypatch.setattr("proforma.kafka_watch._FINE_S", 0.05)


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with every try to log in."""
    tries: list[str] = []
    login_of = KafkaAccess.login

    def counted(access: KafkaAccess) -> dict[str, Any]:
        tries.append(access.bootstrap)
        return login_of(access)

    monkeypatch.setattr(KafkaAccess, "login", counted)
    return tries


async def test_a_wrong_password_is_one_line_and_is_waited_for(
    make_runtime: MakeRuntime, secure_kafka: SecureKafka, topic_prefix: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """However often it is tried, by relay, consumer and watch; and once the file is right, all goes on by itself."""
    _quick(monkeypatch)
    password = tmp_path / "password"
    password.write_text("wrong\n")
    login = secure_kafka.login("probe", kafka_password=None, kafka_password_file=password)
    runtime = await make_runtime("probe", **login)
    plain = secure_kafka.access(topic_prefix)
    await create_topics(plain, [Topic(TOPIC, 1)])
    await allow(plain, "probe", reads=[TOPIC], writes=[TOPIC], group=runtime.group)
    await emit(runtime, "1")
    tries = _counted(monkeypatch)

    async def tried() -> bool:
        return len(tries) >= 12

    caplog.set_level(logging.INFO)
    worker = Worker(runtime, SERVICE.work(runtime))
    with structlog.testing.capture_logs() as said:
        async with running(worker):
            await eventually(tried)
            status, dependencies = await ready(runtime, worker)
            assert status == 503
            assert dependencies["database"] == "ok"
            assert dependencies["kafka"].startswith(
                f"Refused: {secure_kafka.secure.address('LOGIN')} refuses the login"
            )
            assert "Refused" in dependencies["relay"]
            assert "Refused" in dependencies["consumer"]
            (line,) = [one for one in said if one["log_level"] in {"warning", "error"}]
            assert (line["event"], line["username"]) == ("kafka.refused", "probe")
            assert "refuses the login of probe (SCRAM-SHA-512)" in line["problem"]
            assert "wrong" not in str(line)
            assert [one.message for one in caplog.records if one.name.startswith("aiokafka")] == []

            password.write_text(PASSWORDS["probe"] + "\n")
            await eventually(lambda: value(runtime, "select count(*) = 1 from effects"))
            await eventually(lambda: _is_ready(runtime, worker))
            assert "kafka.back" in {one["event"] for one in said}


async def _is_ready(runtime: Runtime, worker: Worker) -> bool:
    return (await ready(runtime, worker))[0] == 200


async def test_a_broker_that_goes_away_is_said_once_and_that_it_is_back_too(
    make_runtime: MakeRuntime, secure_kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proforma import kafka_watch

    _quick(monkeypatch)
    looks: list[Exception | None] = [None, OSError("no route"), OSError("reset"), Unreachable("x"), None, None]

    async def look(_: KafkaAccess) -> None:
        found = looks.pop(0) if looks else None
        if found is not None:
            raise found

    async def over() -> bool:
        return not looks

    monkeypatch.setattr(kafka_watch, "check", look)
    with structlog.testing.capture_logs() as said:
        async with running(kafka_watch.KafkaWatch(KafkaAccess("a:1"))):
            await eventually(over)
    assert [one["event"] for one in said] == ["kafka.unreachable", "kafka.back"]


async def test_a_topic_that_may_not_be_read_is_named(
    make_runtime: MakeRuntime, secure_kafka: SecureKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch)
    plain = secure_kafka.access(topic_prefix)
    await create_topics(plain, [Topic(TOPIC, 1)])
    runtime = await make_runtime("probe", **secure_kafka.login("nobody"))
    await emit(runtime, "1")
    worker = Worker(runtime, SERVICE.work(runtime))

    async def named() -> bool:
        problems = worker.problems()
        may_not = f"NotAllowed: nobody may not see the topic {topic_prefix}{TOPIC}"
        return may_not in problems.get("consumer", "") and "nobody may write no topic" in problems.get("relay", "")

    with structlog.testing.capture_logs() as said:
        async with running(worker):
            await eventually(named)
            assert (await ready(runtime, worker))[1]["kafka"] == "ok", "the login is right"
    assert {one["event"] for one in said if one["log_level"] != "debug"} == {
        "consumer.interrupted",
        "relay.interrupted",
    }


async def test_create_topics_takes_the_same_settings(secure_kafka: SecureKafka, topic_prefix: str) -> None:
    settings = {"PROFORMA_TOPIC_PREFIX": topic_prefix} | {
        f"PROFORMA_{name.upper()}": str(given) for name, given in secure_kafka.mutual().items()
    }
    async with process("proforma", "create-topics", settings) as made:
        assert await made.ended() == 0, made.output
    assert sorted(made.output.split()) == sorted(topic_prefix + topic.name for topic in TOPICS)
    wrong = {
        f"PROFORMA_{name.upper()}": str(given)
        for name, given in secure_kafka.login("probe", kafka_password="x").items()
    }
    async with process("proforma", "create-topics", wrong) as refused:
        assert await refused.ended() == 1
    (line,) = refused.output.splitlines()
    assert line.startswith("proforma: Kafka: Refused: ")
    assert "refuses the login of probe" in line
