"""Positions and the logs that they are of, in the database."""

from uuid import UUID

import pytest

from proforma.intake import Elsewhere
from proforma.partition_log import Log, LogId, Placed
from tests.conftest import MakeRuntime
from tests.proforma.test_intake import LETTERS, POSITION, TOPIC, effects, intake_of, told
from tests.support.rows import rows, value

OLD, NEW = LogId("old", UUID(int=1)), LogId("new", UUID(int=2))


async def test_a_member_that_still_reads_another_log_moves_nothing(make_runtime: MakeRuntime) -> None:
    """Two workers with different addresses: the position is the new Kafka's, one of them is still in the old one."""
    runtime = await make_runtime("probe")
    intake = intake_of(runtime)
    await intake.settle({}, {TOPIC: Log(NEW, 0, 9)})
    with pytest.raises(Elsewhere, match="cluster new, this one is old"):
        await intake.handle(TOPIC, 0, told("a"), OLD)
    # Nor by the way of a message that is set aside.
    with pytest.raises(Elsewhere):
        await intake.handle(TOPIC, 0, told("poison"), OLD)
    assert (await value(runtime, POSITION), await effects(runtime), await rows(runtime, LETTERS)) == (0, [], [])
    await intake.handle(TOPIC, 0, told("a"), NEW)
    assert (await value(runtime, POSITION), await effects(runtime)) == (1, ["a"])


async def test_a_stop_is_remembered_from_its_first_time_and_goes_when_the_log_is_right(
    make_runtime: MakeRuntime,
) -> None:
    runtime = await make_runtime("probe")
    intake = intake_of(runtime)
    await intake.settle({}, {TOPIC: Log(OLD, 4, 9)})
    assert await intake.positions() == {TOPIC: Placed(4, OLD)}
    since = "select stopped_since from consumed"
    found = await intake.settle(await intake.positions(), {TOPIC: Log(NEW, 0, 9)})
    assert found[TOPIC].stopped_because is not None
    first = await value(runtime, since)
    found = await intake.settle(await intake.positions(), {TOPIC: None})
    assert found[TOPIC].stopped_because == "Kafka has no such partition any more"
    assert await value(runtime, since) == first
    # The address was corrected: nothing needs to be set.
    assert await intake.settle(await intake.positions(), {TOPIC: Log(OLD, 4, 9)}) == {TOPIC: Placed(4, OLD)}
    assert await intake.positions() == {TOPIC: Placed(4, OLD)}
    assert await value(runtime, since) is None
