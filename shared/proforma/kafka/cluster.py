"""One look at the cluster over a connection of its own: does it let us in, which cluster is it, which topics has it."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from proforma.kafka.errors import NotAllowed, Refused, Unreachable
from proforma.kafka_access import KafkaAccess

_LOOK_S = 10
_CHECK_S = 4
_TAGS = ("tags", TaggedFields)
_NO_TAGS: dict[int, bytes] = {}
_BROKER = (("node_id", Int32), ("host", CompactString("utf-8")), ("port", Int32), ("rack", CompactString("utf-8")))
_PARTITION = (
    ("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)), ("isr", CompactArray(Int32)), ("offline_replicas", CompactArray(Int32)), _TAGS,
)  # fmt: skip


# aiokafka speaks this question up to version 5. A topic's id, which tells a topic from another one that was made under
# its name later, is in the answer since version 10 (Kafka 2.8).
class _Answer(Response):  # type: ignore[misc]  # aiokafka ships without types
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER, _TAGS)),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16), ("topic", CompactString("utf-8")), ("id_high", Int64), ("id_low", Int64),
                ("is_internal", Boolean), ("partitions", CompactArray(*_PARTITION)), ("operations", Int32), _TAGS,
            ),
        ),
        _TAGS,
    )  # fmt: skip


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("id_high", Int64), ("id_low", Int64), ("topic", CompactString("utf-8")), _TAGS),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _Look(Request[MetadataRequest_v5 | _Question]):  # type: ignore[misc]
    """Asks for the cluster and these topics; makes none."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        if request_struct_class is _Question:
            return _Question([(0, 0, topic, _NO_TAGS) for topic in self._topics], False, False, _NO_TAGS)
        return request_struct_class(list(self._topics), False)


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """`id` tells it from another topic of the same name (None: a broker before 2.8)."""

    id: UUID | None
    partitions: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """`id` as the cluster calls itself; `topics`: those of the topics asked for that it has."""

    id: str
    topics: dict[str, TopicSeen]


async def look(access: KafkaAccess, topics: Sequence[str] = ()) -> Cluster:
    """Logs in and asks for the cluster and the named topics, without the prefix; missing ones are left out.

    Raises Refused when a broker is there and does not let us in, NotAllowed when it does and a topic is not for us,
    Unreachable when none is there.
    """
    login = access.login()
    refused, away = [], []
    for host, port in access.addresses():
        try:
            async with asyncio.timeout(_LOOK_S):
                return await _ask(access, login, host, port, [access.prefix + topic for topic in topics])
        except NotAllowed:
            raise
        except Refused as error:
            refused.append(str(error))
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            words = str(error).removeprefix(f"{type(error).__name__}: ")
            away.append(f"{host}:{port}: {type(error).__name__}: {words}".rstrip(": ") + _hint(access, error))
    if refused:
        raise Refused("; ".join(refused))
    raise Unreachable("no broker answers at " + "; ".join(away))


async def check(access: KafkaAccess) -> None:
    """Raises Refused or Unreachable unless a broker lets us in within four seconds."""
    try:
        async with asyncio.timeout(_CHECK_S):
            await look(access)
    except TimeoutError as error:
        raise Unreachable(f"no broker of {access.bootstrap} answers within {_CHECK_S} s") from error


async def _ask(access: KafkaAccess, login: dict[str, Any], host: str, port: int, topics: Sequence[str]) -> Cluster:
    connection = await _connect(access, login, host, port)
    try:
        answer = (await connection.send(_Look(topics))).to_object()
    finally:
        connection.close()
    found: dict[str, TopicSeen] = {}
    for topic in answer["topics"]:
        name = topic["topic"].removeprefix(access.prefix)
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise NotAllowed(f"{access.username} may not see the topic {topic['topic']}")
        if topic["error_code"] not in {0, UnknownTopicOrPartitionError.errno}:
            # Such as one whose leader is being chosen: that it is not there must not be said of it.
            raise for_code(topic["error_code"])(topic["topic"])
        if topic["error_code"] == 0:
            high, low = topic.get("id_high", 0), topic.get("id_low", 0)
            number = (high % 2**64) << 64 | low % 2**64
            found[name] = TopicSeen(UUID(int=number) if number else None, len(topic["partitions"]))
    return Cluster(answer["cluster_id"], found)


async def _connect(access: KafkaAccess, login: dict[str, Any], host: str, port: int) -> AIOKafkaConnection:
    try:
        return await create_conn(host, port, client_id="proforma-look", request_timeout_ms=_LOOK_S * 1000, **login)
    except (SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError) as error:
        raise Refused(f"{host}:{port} refuses the login of {access.username} ({access.mechanism}): {error}") from error
    except ssl.SSLError as error:
        raise Refused(f"no TLS with {host}:{port}: {error}") from error


def _hint(access: KafkaAccess, error: BaseException) -> str:
    # A broker that expects another protocol, or a certificate, just hangs up, or waits for bytes that do not come.
    if isinstance(error, KafkaError | TimeoutError | ConnectionResetError):
        return (
            f" (does this port speak {access.security}, as PROFORMA_KAFKA_SECURITY says,"
            " and is a client's certificate wanted?)"
        )
    return ""
