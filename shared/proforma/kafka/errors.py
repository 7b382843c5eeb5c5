"""What goes wrong between us and Kafka, in words for whoever operates it."""

from aiokafka.errors import KafkaError

Away = (KafkaError, OSError, TimeoutError)
"""What to catch when the broker may be the thing that is gone."""


class Refused(ConnectionError):
    """A broker was reached and does not let us in: password, certificate or protocol. Waiting does not help alone."""


class Unreachable(ConnectionError):
    """No broker of those we were told of answers."""
