"""The specification's calendar of October and November 2020: what each run day takes, and that days between take
nothing. Line A has a fixed price, B bills time every second Monday, C expenses on the first Monday of the month."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing_backlog.loop import extension_turn
from billing_backlog.worker import HANDLERS
from proforma.clock import SetClock
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.events.scheduler import RunDue
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters
from tests.billing_backlog.scene import all_ready, approve, claimed, entry, violations
from tests.support.events import deliver, outbox_of

FIRST, LAST = date(2020, 9, 28), date(2020, 11, 10)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


@pytest.fixture
def clock() -> SetClock:
    """The evening before the first day."""
    return SetClock(datetime(2020, 9, 27, 20, tzinfo=UTC))


async def terms(desk: Masters) -> dict[str, str]:
    """The contract with its three lines and their schedules, active; line → id."""
    rates = [
        {"class": "time", "role": "dev", "price": "200"},
        {"class": "expense", "category": "Travel", "price": "50"},
    ]
    prices = await desk.price_list(rates=rates)
    contract = await desk.contract(sales_price_list_ids=[prices["id"]])
    fixed = {"billing_method": "fixed_price", "contracted_amount": "17000", "project": "A", "includes": ["material"]}
    lines = {
        "A": await desk.line(contract, **fixed),
        "B": await desk.line(contract, project="BC", includes=["time"]),
        "C": await desk.line(contract, project="BC", includes=["expense"]),
    }
    await desk.verb(contract["id"], "activate")
    parts = [
        await desk.milestone(lines["A"], date="2020-10-05", amount="5000"),
        await desk.milestone(lines["A"], date="2020-11-03", amount="12000"),
    ]
    await desk.mark("milestones", *parts)
    await schedule(desk, lines["B"], {"period": "two_weeks", "weekday": "monday"}, start="2020-10-01")
    await schedule(desk, lines["C"], {"period": "month", "weekday": "monday", "occurrence": "first"})
    return {name: line["id"] for name, line in lines.items()}


async def schedule(desk: Masters, line: Json, frequency: Json, **fields: str) -> None:
    body = {"contract_line_id": line["id"], "frequency": frequency, **fields}
    answer = await desk.biller.post("/v1/invoice-schedules", json=body)
    assert answer.status_code == 201, answer.text


async def work(runtime: Runtime) -> None:
    """Eight hours and one expense on every day, all approved and ready from the beginning."""
    hours = [entry(n, date=day, project="BC") for n, day in enumerate(DAYS)]
    other: dict[str, Any] = {"class": "expense", "category": "Travel", "role": None, "quantity": "1", "unit": "each"}
    costs: dict[str, Any] = {"unit_cost": "40", "currency": "EUR", "project": "BC"}
    expenses = [entry(1000 + n, date=day, **other, **costs) for n, day in enumerate(DAYS)]
    await approve(runtime, *hours, *expenses)
    await all_ready(runtime)


async def triggers(runtime: Runtime, day: date) -> list[RunDue]:
    """What the scheduler says on that day: the rows of each schedule's highest version."""
    newest: dict[str, ScheduleChanged | None] = {}
    for sent in await outbox_of(runtime):
        if sent.type == ScheduleChanged.TYPE:
            newest[sent.body["schedule_id"]] = ScheduleChanged.model_validate(sent.body)
        elif sent.type == ScheduleEnded.TYPE:
            newest[sent.body["schedule_id"]] = None
    return [
        RunDue(
            contract_id=one.contract_id,
            contract_line_id=one.contract_line_id,
            run_date=day,
            row_id=row.id,
            schedule_version=one.schedule_version,
        )
        for one in newest.values()
        if one is not None
        for row in one.rows
        if row.run_date == day
    ]


def span(first: str, last: str) -> list[date]:
    """Days from the one to the other, both included."""
    return [day for day in DAYS if date.fromisoformat(f"2020-{first}") <= day <= date.fromisoformat(f"2020-{last}")]


async def ran(desk: Masters) -> list[tuple[str, str]]:
    """(run date, status) of every row up to the last day."""
    found = []
    for one in (await desk.biller.get("/v1/invoice-schedules")).json()["items"]:
        shown = (await desk.biller.get(f"/v1/invoice-schedules/{one['id']}")).json()
        found += [(row["run_date"], row["status"]) for row in shown["rows"] if row["run_date"] <= str(LAST)]
    return sorted(found)


async def test_the_worked_calendar(runtime: Runtime, desk: Masters, clock: SetClock) -> None:
    lines = await terms(desk)
    await work(runtime)
    taken: dict[date, dict[str, list[date]]] = {}
    for day in DAYS:
        clock.set(datetime(day.year, day.month, day.day, 0, 0, 1, tzinfo=UTC))
        await extension_turn(runtime)
        before = len(await claimed(runtime))
        await deliver(runtime, HANDLERS, *await triggers(runtime, day))
        chunks = (await claimed(runtime))[before:]
        assert len({chunk.claim.id for chunk in chunks}) <= 1, "lines of one date share one invoice"
        found: dict[str, list[date]] = defaultdict(list)
        for item in (item for chunk in chunks for item in chunk.items):
            found[next(name for name, line in lines.items() if line == str(item.contract_line_id))].append(item.date)
        if found:
            taken[day] = {name: sorted(days) for name, days in found.items()}
    assert taken == {
        date(2020, 10, 5): {
            "A": [date(2020, 10, 5)], "B": span("09-28", "10-04"), "C": span("09-28", "10-04"),
        },
        date(2020, 10, 19): {"B": span("10-05", "10-18")},
        date(2020, 11, 2): {"B": span("10-19", "11-01"), "C": span("10-05", "11-01")},
        date(2020, 11, 3): {"A": [date(2020, 11, 3)]},
    }  # fmt: skip
    amounts = [item.amount for chunk in await claimed(runtime) for item in chunk.items if item.source == "milestone"]
    assert [str(amount) for amount in amounts] == ["5000", "12000"]
    assert await ran(desk) == [
        *[("2020-10-05", "successful")] * 3, ("2020-10-19", "successful"), *[("2020-11-02", "successful")] * 2,
        ("2020-11-03", "successful"),
    ]  # fmt: skip
    assert await violations(runtime) == []


async def test_a_milestone_that_is_not_ready_is_left_to_a_later_run(
    runtime: Runtime, desk: Masters, clock: SetClock
) -> None:
    """Its day has had its run; the contract's next one takes it, whatever line that is of."""
    lines = await terms(desk)
    (first,) = (await desk.biller.get("/v1/milestones", params={"date_to": "2020-10-05"})).json()["items"]
    await desk.mark("milestones", first, verb="unmark-ready")
    for day in (date(2020, 10, 5), date(2020, 10, 19)):
        clock.set(datetime(day.year, day.month, day.day, 9, tzinfo=UTC))
        await deliver(runtime, HANDLERS, *await triggers(runtime, day))
        assert [str(item.contract_line_id) for chunk in await claimed(runtime) for item in chunk.items] == (
            [] if day.day == 5 else [lines["A"]]
        )
        await desk.mark("milestones", first)
