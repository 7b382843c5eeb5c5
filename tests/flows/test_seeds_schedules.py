"""The seeds as acceptance, S-11 to S-14: a day makes the drafts of the lines that are due, and of no others."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from proforma.clock import SetClock
from proforma.worker import Worker
from tests.conftest import MakeApi, MakeTopics
from tests.flows import main_job
from tests.flows.calendar import JUST_BEFORE, Calendar, midnight
from tests.flows.firm import Firm, item
from tests.flows.main_job import Hours
from tests.flows.schedules import fixed_price, in_zone, milestones, schedule
from tests.support.databases import service_named
from tests.support.kafka import Broker
from tests.support.product import Product, together
from tests.support.waits import running

BERLIN = "Europe/Berlin"

# The worked calendar (domain §4): what is billed on which day, as line → [details, total]. A developer's hour is 200,
# a trip 275. Summer time ends on 25 October: the later days begin an hour later than the earlier ones.
DRAFTS: Mapping[date, Mapping[str, list[int]]] = {
    date(2020, 10, 5): {"A": [1, 5000], "B": [2, 2000], "C": [1, 275]},
    date(2020, 10, 19): {"B": [2, 1000]},
    date(2020, 11, 2): {"B": [2, 800], "C": [2, 825]},
    date(2020, 11, 3): {"A": [1, 12000]},
}
BEGINS = {
    date(2020, 10, 5): "2020-10-04T22:00:00Z", date(2020, 10, 19): "2020-10-18T22:00:00Z",
    date(2020, 11, 2): "2020-11-01T23:00:00Z", date(2020, 11, 3): "2020-11-02T23:00:00Z",
}  # fmt: skip
# The last day that a run takes and the day after it, each time: a cut-off that is a day off changes every sum.
WORK = (
    ("time", "8", "2020-10-01"), ("time", "2", "2020-10-04"), ("time", "4", "2020-10-05"), ("time", "1", "2020-10-18"),
    ("time", "3", "2020-10-19"), ("time", "1", "2020-11-01"), ("time", "5", "2020-11-02"),
    ("expense", "1", "2020-10-04"), ("expense", "2", "2020-10-05"), ("expense", "1", "2020-11-01"),
    ("expense", "3", "2020-11-02"),
)  # fmt: skip


@pytest.fixture
async def calendar(api: MakeApi, make_topics: MakeTopics, clock: SetClock) -> AsyncIterator[Calendar]:
    """The product at work, without a contract, and its clock."""
    product = await together(api, make_topics, partitions=1)
    async with product.working():
        yield Calendar(Firm(product), clock)


async def _worked_calendar(calendar: Calendar) -> None:
    """The contract of domain §4 in Berlin, with all its work approved and ready ahead of its days."""
    firm = calendar.firm
    firm.contract_id = await firm.contract("B", "P1", ["time"])
    await in_zone(firm, firm.contract_id, BERLIN)
    await firm.line(firm.contract_id, "C", "P1", ["expense"])
    await fixed_price(firm, "A", "P2", "17000.00", ("2020-10-05", "5000.00"), ("2020-11-03", "12000.00"))
    await schedule(firm, "B", frequency={"period": "two_weeks", "weekday": "monday"}, start="2020-10-01")
    monthly = {"period": "month", "weekday": "monday", "occurrence": "first"}
    await schedule(firm, "C", frequency=monthly, start="2020-10-01")
    await firm.approve(*[await firm.submitted(hours, of, date=day) for of, hours, day in WORK])
    assert (await firm.mark_ready())["changed"] == len(WORK)
    assert (await firm.mark_ready(*firm.milestones.values(), of="milestones"))["changed"] == 2
    await calendar.known()


async def test_s_11_the_automated_daily_run(calendar: Calendar) -> None:
    """S-11: "automated daily run, job set-up, two workflow orders, 24 h timer"; the worked calendar, day by day.

    There is no job to set up and no timer that drifts: the schedules are the set-up, and each day begins by the clock
    of the contract's time zone.
    """
    firm, day = calendar.firm, date(2020, 10, 1)
    calendar.clock.set(datetime(2020, 9, 30, 22, tzinfo=UTC))
    await _worked_calendar(calendar)
    invoices: list[dict[str, Any]] = []
    while day < date(2020, 11, 15):
        await calendar.at(midnight(day, BERLIN) + JUST_BEFORE)
        await calendar.at(midnight(day, BERLIN))
        if day in DRAFTS:
            draft = await calendar.draft(firm.contract_id, day)
            assert await calendar.lines(draft["id"]) == DRAFTS[day], day
            invoices.append(await firm.confirm(draft["id"]))
        listed = await firm.product.all("invoicing", "/v1/invoices")
        assert [one["id"] for one in listed] == [one["id"] for one in invoices], day
        day += timedelta(days=1)
    assert [one["total"] for one in invoices] == ["7275.00", "1000.00", "1625.00", "12000.00"]
    triggers = [(on.isoformat(), line, BEGINS[on]) for on, lines in DRAFTS.items() for line in lines]
    assert await calendar.published() == sorted(triggers)
    runs = await firm.product.all("billing-backlog", "/v1/invoice-runs")
    assert sorted(date.fromisoformat(one["run_date"]) for one in runs) == list(DRAFTS), "the days between run nothing"
    left = await firm.items(contract_id=firm.contract_id)
    assert {(one["class"], one["date"], one["billing_status"]) for one in left} == {
        ("time", "2020-11-02", "ready"), ("expense", "2020-11-02", "ready")
    }  # fmt: skip
    await firm.is_sound()


async def test_s_12_due_lines_by_run_date(calendar: Calendar) -> None:
    """S-12: "due lines by run date; same date in one invoice; skip when empty"; a skipped run says why."""
    firm, fifth, tenth = calendar.firm, date(2026, 3, 5), date(2026, 3, 10)
    one, shop, unready = await _two_contracts(calendar)
    await calendar.at(midnight(fifth))
    draft = await calendar.draft(one, fifth)
    assert await calendar.lines(draft["id"]) == {"hours": [1, 1600]}
    await schedule(firm, "travel", "2026-03-05")
    assert (await calendar.draft(one, fifth))["id"] == draft["id"], "the same date is the same invoice, also later"
    assert await calendar.lines(draft["id"]) == {"hours": [1, 1600], "travel": [1, 275]}
    assert await calendar.runs(shop, fifth) == [], "the day has not begun in New York"
    await calendar.at(midnight(fifth, "America/New_York"))
    await _is_skipped(calendar, "shop", shop, fifth, {"not_ready": 1})
    (run,) = await calendar.runs(shop, fifth)
    (left,) = await firm.product.all("billing-backlog", f"/v1/invoice-runs/{run['id']}/left-out")
    assert (left["entry_id"], left["reason"]) == (unready, "not_ready")
    await calendar.at(midnight(fifth + timedelta(days=1)))
    await _is_skipped(calendar, "hours", one, fifth + timedelta(days=1), {"on_invoice": 1})
    assert [found["id"] for found in await firm.product.all("invoicing", "/v1/invoices")] == [draft["id"]]
    await calendar.nothing_until(tenth)
    later = await calendar.draft(one, tenth)
    assert await calendar.lines(later["id"]) == {"later": [1, 600]}
    assert [await calendar.row(*due) for due in (("hours", fifth), ("travel", fifth), ("later", tenth))] == [
        "successful", "successful", "successful"
    ]  # fmt: skip
    begins = {fifth: "2026-03-05T00:00:00Z", tenth: "2026-03-10T00:00:00Z"}
    assert await calendar.published() == [
        ("2026-03-05", "hours", begins[fifth]), ("2026-03-05", "shop", "2026-03-05T05:00:00Z"),
        ("2026-03-05", "travel", begins[fifth]), ("2026-03-06", "hours", "2026-03-06T00:00:00Z"),
        ("2026-03-10", "later", begins[tenth]),
    ]  # fmt: skip
    await firm.confirm(draft["id"])
    await firm.confirm(later["id"])
    assert (item(await firm.items(contract_id=shop), entry_id=unready))["billing_status"] == "unbilled"
    await firm.is_sound()


async def _two_contracts(calendar: Calendar) -> tuple[str, str, str]:
    """One with ready work on three lines; a shop in New York whose entry is not ready. Their ids and the entry's."""
    firm = calendar.firm
    one = firm.contract_id = await firm.contract("hours", "P1", ["time"])
    await firm.line(one, "travel", "P1", ["expense"])
    await firm.line(one, "later", "P2", ["time"])
    shop = await firm.contract("shop", "P9")
    await in_zone(firm, shop, "America/New_York")
    for line, days in (("hours", (5, 6)), ("later", (10,)), ("shop", (5,))):
        await schedule(firm, line, *(f"2026-03-{on:02}" for on in days))
    await firm.approve(await firm.submitted(), await firm.submitted("1", "expense"))
    await firm.worked("3", project="P2")
    assert (await firm.mark_ready())["changed"] == 3
    unready = await firm.worked("2", project="P9")
    await calendar.known()
    return one, shop, unready


async def _is_skipped(calendar: Calendar, line: str, contract_id: str, day: date, why: Mapping[str, int]) -> None:
    """The line's row of a date has run and billed nothing, for this reason, and there is no invoice of it."""
    run = await calendar.ran(contract_id, day)
    assert (run["status"], run["reason"], run["claims"]) == ("skipped", "nothing_to_bill", [])
    assert [(one["contract_line_id"], one["left_out"]) for one in run["lines"]] == [(calendar.firm.lines[line], why)]
    assert await calendar.row(line, day) == "skipped"
    assert await calendar.firm.product.all("invoicing", "/v1/invoices", run_id=run["id"]) == []


async def test_s_13_a_single_running_instance(
    api: MakeApi, make_topics: MakeTopics, clock: SetClock, broker: Broker
) -> None:
    """S-13: "single running instance, restart only when stopped".

    Nobody has to see to it: two workers of each service run beside each other, one of them is stopped as a day begins
    and another one started, and still each line runs once on each date.
    """
    product = await together(api, make_topics)
    calendar, days = Calendar(Firm(product), clock), [date(2026, 3, on) for on in (5, 6, 7)]
    async with product.working(("time-expense", "invoicing")), AsyncExitStack() as third:
        async with AsyncExitStack() as first, AsyncExitStack() as second:
            await _start(product, first)
            await _start(product, second)
            contracts = await _eight_lines(calendar, days)
            await asyncio.gather(calendar.at(midnight(days[0])), first.aclose())
            drafts = await _drafts(calendar, contracts, days[0])
            await _start(product, third)
            await asyncio.gather(calendar.at(midnight(days[1])), second.aclose())
            drafts += await _drafts(calendar, contracts, days[1])
        await calendar.at(midnight(days[2]))
        drafts += await _drafts(calendar, contracts, days[2])
        lines = calendar.firm.lines
        due = [(f"{day}", name, f"{day}T00:00:00Z") for day in days for name in lines]
        assert await calendar.published() == sorted(due)
        assert await _sent(broker) == sorted((lines[name], day) for day, name, _ in due)
        assert len(await product.all("billing-backlog", "/v1/invoice-runs")) == len(drafts)
        assert {one["id"] for one in await product.all("invoicing", "/v1/invoices")} == {one["id"] for one in drafts}
        await main_job.confirm(product, drafts)
        await calendar.firm.is_sound()


async def _start(product: Product, stack: AsyncExitStack) -> None:
    """A worker of scheduler and one of billing-backlog, until the stack is closed."""
    for name in ("scheduler", "billing-backlog"):
        runtime = product.runtime(name)
        await stack.enter_async_context(running(Worker(runtime, service_named(name).work(runtime))))


async def _sent(broker: Broker) -> list[tuple[str, str]]:
    """The triggers that anybody could read, as (line, run date); one that was sent again keeps its id."""
    found = {
        dict(one.headers)["ce_id"]: json.loads(one.value or b"") for one in await broker.read("scheduler.triggers")
    }
    return sorted((due["contract_line_id"], due["run_date"]) for due in found.values())


async def _eight_lines(calendar: Calendar, days: Sequence[date]) -> list[str]:
    """Four contracts with two lines each, which have an hour ready for each of the days; the contracts' ids."""
    firm, product, names = calendar.firm, calendar.firm.product, ("P1", "P2", "P3", "P4")
    contracts = await main_job.make_terms(product, names, ["dev"])
    for contract_id, project in contracts.items():
        await firm.line(contract_id, f"{project}: more", f"{project}b", ["time"])
    firm.lines = {one["name"]: one["id"] for one in await product.all("billing-backlog", "/v1/contract-lines")}
    for line in firm.lines:
        await schedule(firm, line, *(day.isoformat() for day in days))
    sheet = [
        Hours(f"{project}-{day}", project, "T", "ann", "dev", day - timedelta(days=1), Decimal(1))
        for project in (*names, *(f"{name}b" for name in names))
        for day in days
    ]
    await main_job.import_approved(product, main_job.as_csv(sheet))
    await main_job.in_backlog(product, len(sheet))
    assert await main_job.mark_ready(product, contracts) == len(sheet)
    await calendar.known()
    return list(contracts)


async def _drafts(calendar: Calendar, contracts: Sequence[str], day: date) -> list[dict[str, Any]]:
    """The day's drafts: one for each contract, with the one hour of each of its two lines."""
    drafts = [await calendar.draft(contract_id, day) for contract_id in contracts]
    for draft in drafts:
        details = await calendar.firm.details(draft["id"])
        assert [(one["date"], one["quantity"]) for one in details] == [(f"{day - timedelta(days=1)}", "1.00")] * 2
        assert len(await calendar.lines(draft["id"])) == 2
    return drafts


async def test_s_14_what_a_schedule_needs(calendar: Calendar) -> None:
    """S-14: "schedule prerequisites (T&M dates, FP milestones)"."""
    firm, fifth, ninth = calendar.firm, date(2026, 3, 5), date(2026, 3, 9)
    own = firm.contract_id = await firm.contract("free", "P1", ["time"])
    await fixed_price(firm, "fixed", "P2", "17000.00", ("2026-03-05", "5000.00"), ("2026-03-09", "12000.00"))
    await fixed_price(firm, "short", "P3", "450.00", ("2026-03-05", "450.00"))
    await firm.worked()
    await firm.mark_ready()
    assert (await firm.mark_ready(*firm.milestones.values(), of="milestones"))["changed"] == 3
    (hours,) = await firm.items(contract_id=own)
    assert hours["reasons"] == ["schedule_missing"]
    assert await _dates(firm, "fixed") == [("2026-03-05", "2026-03-05"), ("2026-03-09", "2026-03-09")]
    by_hand = {"contract_line_id": firm.lines["fixed"], "rows": [{"run_date": "2026-03-06"}]}
    refusal = await firm.refused("billing-backlog", "POST", "/v1/invoice-schedules", "manager", by_hand)
    assert refusal["status"] == 409, refusal
    await milestones(firm, "short", ("2026-03-09", "50.00"))
    await calendar.known()
    await calendar.at(midnight(fifth))
    first = await calendar.draft(own, fifth)
    assert await calendar.lines(first["id"]) == {"fixed": [1, 5000]}
    (run,) = await calendar.runs(own, fifth)
    left_out = {one["contract_line_id"]: one["left_out"] for one in run["lines"]}
    assert left_out[firm.lines["short"]] == {"milestones_do_not_add_up": 2}
    assert firm.lines["free"] not in left_out, "a line without a schedule is not considered"
    assert [await calendar.row(line, fifth) for line in ("fixed", "short")] == ["successful", "skipped"]
    await _mended(calendar)
    await calendar.nothing_until(ninth)
    second = await calendar.draft(own, ninth)
    assert await calendar.lines(second["id"]) == {"free": [1, 1600], "fixed": [1, 12000], "short": [2, 500]}
    for draft in (first, second):
        await firm.confirm(draft["id"])
    assert await firm.items(contract_id=own) == []
    await firm.is_sound()


async def _mended(calendar: Calendar) -> None:
    """The prerequisites that were missing: a date for the hours, and a price that the milestones add up to."""
    firm = calendar.firm
    await schedule(firm, "free", "2026-03-09")
    (hours,) = await firm.items(contract_id=firm.contract_id)
    assert hours["reasons"] == []
    line = f"/v1/contract-lines/{firm.lines['short']}"
    await firm.backlog("PATCH", line, {"contracted_amount": "500.00"}, headers={"If-Match": "*"})
    assert (await firm.mark_ready(firm.milestones["short 2026-03-09"], of="milestones"))["changed"] == 1
    await calendar.known()


async def _dates(firm: Firm, line: str) -> list[tuple[str, str]]:
    """The (run date, cut-off) of the schedule that a line's milestones made."""
    query = {"contract_line_id": firm.lines[line], "status": "active"}
    (found,) = await firm.product.all("billing-backlog", "/v1/invoice-schedules", **query)
    assert found["source"] == "milestones"
    shown = await firm.backlog("GET", f"/v1/invoice-schedules/{found['id']}")
    return [(row["run_date"], row["cut_off"]) for row in shown["rows"]]
