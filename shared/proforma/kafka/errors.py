"""What goes wrong between us and Kafka, in words for whoever operates it."""

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

Away = (KafkaError, OSError, TimeoutError)
"""What to catch when the broker may be the thing that is gone."""

Unauthorized = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
"""What a broker says to a login that it knows, about a right that it does not have."""


class Refused(ConnectionError):
    """A broker was reached and does not let us in: password, certificate or protocol. Waiting does not help alone."""


class NotAllowed(ConnectionError):
    """We are let in, and lack the right to a topic or to the group: docs/kafka.md lists what each service needs."""


class Unreachable(ConnectionError):
    """No broker of those we were told of answers."""
