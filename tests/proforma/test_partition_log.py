"""Whether a position may be believed: every way in which a log can be another one."""

from uuid import UUID

import pytest

from proforma.partition_log import Log, LogId, Placed, why_stopped

OURS = LogId("c1", UUID(int=1))
OLD_BROKER = LogId("c1", None)


@pytest.mark.parametrize(
    ("placed", "log"),
    [
        (Placed(5, OURS), Log(OURS, 0, 9)),
        (Placed(0, OURS), Log(OURS, 0, 0)),
        (Placed(9, OURS), Log(OURS, 9, 9)),
        (Placed(9, OURS), Log(OURS, 3, 9)),
        (Placed(3, OURS), Log(OURS, 3, 9)),
        # From before positions knew their log, and from and to a broker that knows no topic ids.
        (Placed(5), Log(OURS, 0, 9)),
        (Placed(5, OLD_BROKER), Log(OURS, 0, 9)),
        (Placed(5, OURS), Log(OLD_BROKER, 0, 9)),
        # The reason of yesterday holds nothing back.
        (Placed(5, OURS, "stopped"), Log(OURS, 0, 9)),
    ],
)
def test_it_is_believed_in_its_own_log(placed: Placed, log: Log) -> None:
    assert why_stopped(placed, log) is None


@pytest.mark.parametrize(
    ("placed", "log", "why"),
    [
        (Placed(5, OURS), Log(LogId("c2", UUID(int=1)), 0, 9), "it is of the Kafka cluster c1, this one is c2"),
        (Placed(5, OURS), Log(LogId("c2", None), 0, 9), "it is of the Kafka cluster c1, this one is c2"),
        (Placed(5, OURS), Log(LogId("c1", UUID(int=2)), 0, 9), "made again"),
        (Placed(0, OURS), Log(LogId("c1", UUID(int=2)), 0, 0), "made again"),
        (Placed(10, OURS), Log(OURS, 0, 9), "the log ends at 9, before the position 10"),
        (Placed(2, OURS), Log(OURS, 3, 9), "the log begins at 3, after the position 2"),
        (Placed(8, OURS), Log(OURS, 9, 9), "the log begins at 9, after the position 8"),
        (Placed(10), Log(OURS, 0, 9), "the log ends at 9, before the position 10"),
        (Placed(5, OURS), None, "no such partition"),
    ],
)
def test_it_is_not_in_another(placed: Placed, log: Log | None, why: str) -> None:
    assert why in str(why_stopped(placed, log))
