"""Access lists on the broker: aiokafka's client has no verb for them, its protocol has the question."""

from collections.abc import Sequence

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import CreateAclsRequest

from proforma.kafka_access import KafkaAccess

TOPIC, GROUP = 2, 3
READ, WRITE = 3, 4
_LITERAL, _ALLOW = 3, 3


async def allow(access: KafkaAccess, user: str, *, reads: Sequence[str], writes: Sequence[str], group: str) -> None:
    """Lets `user` read and write these topics (the prefix of `access` is put before them) and be in the group."""
    wanted = [
        *((TOPIC, access.prefix + topic, READ) for topic in reads),
        *((TOPIC, access.prefix + topic, WRITE) for topic in writes),
        (GROUP, group, READ),
    ]
    ((host, port),) = access.addresses()
    connection = await create_conn(host, port, **access.login())
    try:
        for kind, name, operation in wanted:
            answer = await connection.send(
                CreateAclsRequest(kind, name, _LITERAL, f"User:{user}", "*", operation, _ALLOW)
            )
            assert [code for code, _ in answer.creation_responses] == [0], answer
    finally:
        connection.close()
