"""What schedules become, in whatever order, number and delay their versions come."""

import itertools
from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.runtime import Runtime
from scheduler.loop import publish_turn
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line, all_triggers, row, statuses
from tests.support.events import DeadLettered, deliver, outbox_of, record_of

MARCH = [TODAY + timedelta(days=n) for n in range(1, 20)]


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("scheduler")


async def test_rows_wait_for_their_day(runtime: Runtime) -> None:
    line = Line("Europe/Berlin")
    await deliver(runtime, HANDLERS, line.changed(1, MARCH[:2]))
    assert await statuses(runtime, line) == {MARCH[0]: "upcoming", MARCH[1]: "upcoming"}
    assert [one["due_at"].isoformat() for one in await all_triggers(runtime)] == [
        "2026-03-02T23:00:00+00:00",
        "2026-03-03T23:00:00+00:00",
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_highest_version_holds_in_every_order(runtime: Runtime, order: tuple[int, ...]) -> None:
    line, kept = Line(), row(MARCH[1])
    said = [line.changed(1, [MARCH[0], kept]), line.changed(2, [kept]), line.changed(3, [kept, MARCH[2]])]
    for index in order:
        await deliver(runtime, HANDLERS, said[index])
    live = {day: status for day, status in (await statuses(runtime, line)).items() if status != "canceled"}
    assert live == {MARCH[1]: "upcoming", MARCH[2]: "upcoming"}


async def test_an_end_holds_against_versions_that_come_after_it(runtime: Runtime) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.ended(3))
    await deliver(runtime, HANDLERS, line.changed(2, MARCH[:3]))
    assert await statuses(runtime, line) == {}


async def test_an_end_cancels_what_is_unpublished_only(runtime: Runtime) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY, MARCH[0]]))
    await publish_turn(runtime)
    await deliver(runtime, HANDLERS, line.ended(2))
    assert await statuses(runtime, line) == {TODAY: "published", MARCH[0]: "canceled"}


async def test_a_schedule_made_anew_is_not_held_back_by_the_end_of_the_old_one(runtime: Runtime) -> None:
    line = Line()
    old, anew = line.ended(7), Line()
    anew.id, anew.contract_id = line.id, line.contract_id
    await deliver(runtime, HANDLERS, anew.changed(1, [MARCH[0]]))
    await deliver(runtime, HANDLERS, old)
    assert await statuses(runtime, line) == {MARCH[0]: "upcoming"}


async def test_the_same_event_twice_changes_nothing(runtime: Runtime) -> None:
    line = Line()
    record = record_of(line.changed(1, MARCH[:3]))
    await deliver(runtime, HANDLERS, record, record)
    before = await all_triggers(runtime)
    await deliver(runtime, HANDLERS, record, line.changed(1, MARCH[4:6]))
    assert await all_triggers(runtime) == before


async def test_a_batch_holds_several_lines_and_versions(runtime: Runtime) -> None:
    lines = [Line("Europe/Berlin"), Line("America/New_York"), Line()]
    said = [line.changed(version, MARCH[version : version + 2]) for version in (2, 3, 1) for line in lines]
    await deliver(runtime, HANDLERS, *said)
    for line in lines:
        live = {day for day, status in (await statuses(runtime, line)).items() if status == "upcoming"}
        assert live == set(MARCH[3:5])


async def test_a_change_of_time_zone_moves_what_is_unpublished(runtime: Runtime) -> None:
    line, kept = Line("UTC"), row(MARCH[0])
    await deliver(runtime, HANDLERS, line.changed(1, [kept]))
    await deliver(runtime, HANDLERS, line.changed(2, [kept], zone="Pacific/Auckland"))
    (only,) = await all_triggers(runtime)
    assert only["due_at"].isoformat() == "2026-03-02T11:00:00+00:00"


async def test_a_published_row_is_never_published_again(runtime: Runtime) -> None:
    line, ran = Line(), row(TODAY)
    await deliver(runtime, HANDLERS, line.changed(1, [ran]))
    await publish_turn(runtime)
    await deliver(runtime, HANDLERS, line.changed(2, []))
    await deliver(runtime, HANDLERS, line.changed(3, [ran]))
    await publish_turn(runtime)
    assert len(await outbox_of(runtime)) == 1
    assert await statuses(runtime, line) == {TODAY: "published"}


async def test_a_row_moved_away_and_back_is_another_row_and_runs(runtime: Runtime) -> None:
    line, first, back = Line(), row(TODAY), row(TODAY)
    await deliver(runtime, HANDLERS, line.changed(1, [first]))
    await publish_turn(runtime)
    await deliver(runtime, HANDLERS, line.changed(2, [MARCH[3]]))
    await deliver(runtime, HANDLERS, line.changed(3, [back]))
    await publish_turn(runtime)
    assert [sent.body["row_id"] for sent in await outbox_of(runtime)] == [str(first.id), str(back.id)]
    assert await statuses(runtime, line) == {TODAY: "published, published", MARCH[3]: "canceled"}


async def test_a_row_that_takes_the_place_of_another_on_the_same_date_runs_alone(runtime: Runtime) -> None:
    """An edit of the cut-off gives the date another row: the old one must not be published beside it."""
    line, anew = Line(), row(TODAY)
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY]))
    await deliver(runtime, HANDLERS, line.changed(2, [anew]))
    await publish_turn(runtime)
    assert [sent.body["row_id"] for sent in await outbox_of(runtime)] == [str(anew.id)]
    assert await statuses(runtime, line) == {TODAY: "canceled, published"}


async def test_late_rows_are_published_at_once(runtime: Runtime) -> None:
    line = Line()
    late = [date(2025, 12, 31), date(2026, 1, 31)]
    await deliver(runtime, HANDLERS, line.changed(1, late))
    await publish_turn(runtime)
    assert [sent.body["run_date"] for sent in await outbox_of(runtime)] == ["2025-12-31", "2026-01-31"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe"])
async def test_a_bad_zone_is_set_aside_and_its_neighbours_go_on(runtime: Runtime, zone: str) -> None:
    good, bad = Line(), Line(zone)
    with pytest.raises(DeadLettered):
        await deliver(runtime, HANDLERS, bad.changed(1, MARCH[:1]), good.changed(1, MARCH[:1]))
    assert await statuses(runtime, good) == {MARCH[0]: "upcoming"}
    assert await statuses(runtime, bad) == {}


async def test_a_row_named_twice_is_set_aside(runtime: Runtime) -> None:
    line, twice = Line(), row(MARCH[0])
    with pytest.raises(DeadLettered, match="a row twice"):
        await deliver(runtime, HANDLERS, line.changed(1, [twice, twice]))
    with pytest.raises(DeadLettered, match="a run date twice"):
        await deliver(runtime, HANDLERS, line.changed(1, [row(MARCH[0]), row(MARCH[0])]))


_DAYS = st.lists(st.sampled_from(MARCH), unique=True, max_size=4)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[date] | None], list[int]]:
    """Versions of one schedule (None: its end), and an order of their coming with repeats."""
    said: list[list[date] | None] = list(draw(st.lists(_DAYS, min_size=1, max_size=5)))
    if draw(st.booleans()):
        said.append(None)
    indexes = list(range(len(said)))
    order = draw(st.permutations(indexes + draw(st.lists(st.sampled_from(indexes), max_size=4))))
    return said, list(order)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.integers(1, 4))
async def test_any_interleaving_ends_in_the_newest(
    runtime: Runtime, history: tuple[list[list[date] | None], list[int]], batch: int
) -> None:
    said, order = history
    line = Line()
    rows = {day: row(day, uuid4()) for day in MARCH}
    events: list[ScheduleChanged | ScheduleEnded] = [
        line.ended(n) if days is None else line.changed(n, [rows[day] for day in days])
        for n, days in enumerate(said, start=1)
    ]
    come = [events[index] for index in order]
    for start in range(0, len(come), batch):
        await deliver(runtime, HANDLERS, *come[start : start + batch])
    live = {day for day, status in (await statuses(runtime, line)).items() if status == "upcoming"}
    assert live == set(said[-1] or [])
