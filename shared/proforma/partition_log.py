"""A partition's log, and whether a position in it may be believed: pure, for the consumer and for operators alike."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LogId:
    """Tells one log from another under the same name: the cluster, and the topic's id (None: an old broker)."""

    cluster: str
    topic: UUID | None

    def differs(self, other: "LogId") -> str | None:
        """Why these are two logs; None when they are one. A topic id that one of them lacks says nothing."""
        if self.cluster != other.cluster:
            return f"it is of the Kafka cluster {self.cluster}, this one is {other.cluster}"
        if self.topic is not None and other.topic is not None and self.topic != other.topic:
            return "the topic was deleted and made again since"
        return None


@dataclass(frozen=True, slots=True)
class Log:
    """What Kafka has of one partition: offsets from `beginning` to before `end`."""

    id: LogId
    beginning: int
    end: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A position as the database has it. `log` None: from before positions knew their log, it is believed once.

    `stopped_because`: why the consumer does not read on from here.
    """

    offset: int
    log: LogId | None = None
    stopped_because: str | None = None


def why_stopped(placed: Placed, log: Log | None) -> str | None:
    """Why nothing may be read from this position; None when it may be.

    Kafka itself would begin somewhere else without a word: what lies between would be lost, or never be looked at
    because its offsets were seen before. A hole inside of the log is none of these: brokers leave them.
    """
    if log is None:
        return "Kafka has no such partition any more"
    if placed.log is not None and (other := placed.log.differs(log.id)):
        return f"the position {placed.offset} is another log's: {other}"
    if log.end < placed.offset:
        return f"the log ends at {log.end}, before the position {placed.offset}"
    if log.beginning > placed.offset:
        return f"the log begins at {log.beginning}, after the position {placed.offset}"
    return None
