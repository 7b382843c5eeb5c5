"""The year as it came out, held against the books."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from proforma.clock import day_begins
from proforma.runtime import Runtime
from tests.billing_backlog.scene import violations
from tests.support.api import Api
from tests.support.rows import rows, value
from tests.year.books import Books, Due, Run
from tests.year.world import Year

Runtimes = Mapping[str, Runtime]


async def as_the_books_say(year: Year, runtimes: Runtimes, api: Api) -> None:
    """Rows, triggers, runs, invoices and totals; and nothing set aside anywhere."""
    books = year.books
    ran = await _rows_are_as_written(year, runtimes["billing-backlog"])
    await _triggered_once(year, runtimes["scheduler"], ran)
    runs = await _runs_are_as_written(books, runtimes["billing-backlog"])
    await _billed_once(books, runtimes["invoicing"], runs)
    await _what_is_open_is_open(books, runtimes["billing-backlog"])
    await _days_add_up(books, api)
    assert await violations(runtimes["billing-backlog"]) == []
    for runtime in runtimes.values():
        assert await value(runtime, "select count(*) from dead_letters") == 0
    # No relay runs here: the post reads the outboxes. Triggers may wait for a day that the year does not reach.
    waits = "select count(*) from waiting where kind not in ('outbox', 'trigger')"
    assert await value(runtimes["billing-backlog"], waits) == 0


async def _rows_are_as_written(year: Year, backlog: Runtime) -> dict[UUID, Due]:
    """Each row has run once or is still to come, none before its day; returns those that ran, by id."""
    books = year.books
    found = await rows(backlog, "select * from schedule_rows")
    assert {(one["contract_line_id"], one["run_date"]): one["status"] for one in found if one["ran_at"]} == books.ran
    to_come = {(one["contract_line_id"], one["run_date"]): one["cut_off"] for one in found if not one["ran_at"]}
    assert to_come == {(line, day): cut for line, days in books.planned.items() for day, cut in days.items()}
    now = year.clock.now()
    assert [one for one in to_come if one[1] <= books.today(one[0], now)] == [], "a day was forgotten"
    for one in found:
        begins = day_begins(one["run_date"], books.lines[one["contract_line_id"]].zone)
        assert one["ran_at"] is None or one["ran_at"] >= begins, "a row ran before its day"
    return {one["id"]: (one["contract_line_id"], one["run_date"]) for one in found if one["ran_at"]}


async def _triggered_once(year: Year, scheduler: Runtime, ran: Mapping[UUID, Due]) -> None:
    """Every row that ran has one trigger, published when its day had begun; others had, and were moved away since."""
    found = await rows(scheduler, "select * from triggers where status = 'published'")
    for one in found:
        begins = day_begins(one["run_date"], year.books.lines[one["contract_line_id"]].zone)
        assert one["published_at"] >= one["due_at"] == begins
    published = Counter(one["row_id"] for one in found)
    assert set(published.values()) <= {1}
    assert len(found) == await value(scheduler, "select count(*) from outbox"), "one event for each, ever"
    never = {ran[row_id] for row_id in ran.keys() - published.keys()}
    assert never <= year.foreign, "only what somebody else triggered first may have been taken out before its turn"
    others = {(one["contract_line_id"], one["run_date"]) for one in found if one["row_id"] not in ran}
    assert others <= year.books.removed


async def _runs_are_as_written(books: Books, backlog: Runtime) -> dict[UUID, Run]:
    """One run for each contract and date, with a claim exactly where the books have taken something."""
    found = await rows(backlog, "select * from runs")
    billed = set(books.taken.values())
    status = {(one["contract_id"], one["run_date"]): one["status"] for one in found}
    assert status == {run: "claimed" if run in billed else "skipped" for run in books.runs}
    assert len(found) == len(status)
    return {one["id"]: (one["contract_id"], one["run_date"]) for one in found}


async def _billed_once(books: Books, invoicing: Runtime, runs: Mapping[UUID, Run]) -> None:
    """Each thing is on the one draft of the run that the books name, at its amount, and on no other."""
    details = await rows(
        invoicing,
        "select coalesce(d.entry_id, d.item_id) as thing, d.amount, i.run_id, i.id as invoice_id, i.contract_id"
        " from invoice_details d join invoices i on i.id = d.invoice_id",
    )
    assert Counter(one["thing"] for one in details) == Counter(books.taken.keys())
    assert {one["thing"]: runs[one["run_id"]] for one in details} == books.taken
    assert {one["thing"]: one["amount"] for one in details} == {
        thing: Decimal(books.things[thing].amount) for thing in books.taken
    }
    invoices = await rows(invoicing, "select id, run_id, status, total, contract_id, invoice_date from invoices")
    drafts = Counter((one["contract_id"], one["invoice_date"]) for one in invoices)
    assert drafts == Counter(set(books.taken.values())), "one draft for a contract and a date"
    assert {one["status"] for one in invoices} == {"draft"}
    assert sum(one["total"] for one in invoices) == sum(books.things[thing].amount for thing in books.taken)


async def _what_is_open_is_open(books: Books, backlog: Runtime) -> None:
    """What no run took is where people left it."""
    found = await rows(backlog, "select coalesce(entry_id, id) as thing, billing_status from items")
    left = {thing for things in books.open.values() for thing in things}
    assert {one["thing"]: one["billing_status"] for one in found} == {
        **dict.fromkeys(books.taken, "on_invoice"),
        **{thing: "ready" if thing in books.ready else "unbilled" for thing in left},
    }


async def _days_add_up(books: Books, api: Api) -> None:
    """The run history's days, over HTTP."""
    days: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        params = {"limit": "100", **({"after": after} if after else {})}
        page = (await api.as_("biller").get("/v1/invoice-run-days", params=params)).json()
        days, after = days + page["items"], page["next"]
        if after is None:
            break
    assert [one["date"] for one in days] == sorted({str(day) for _, day in books.runs}, reverse=True)
    things = Counter(str(day) for _, day in books.taken.values())
    money: Counter[str] = Counter()
    for thing, (_, day) in books.taken.items():
        money[str(day)] += books.things[thing].amount
    assert {one["date"]: one["items"] for one in days if one["items"]} == things
    assert {one["date"]: int(Decimal(sum_["amount"])) for one in days for sum_ in one["amounts"]} == money
    assert sum(one["runs"] for one in days) == len(books.runs)


def figures(year: Year) -> str:
    """What the year was made of."""
    books = year.books
    statuses = Counter(books.ran.values())
    late = sum(
        1 for thing, (_, day) in books.taken.items() if books.things[thing].line in books.lines
        and (day - books.things[thing].day).days > 31
    )  # fmt: skip
    return (
        f"{len(books.of)} contracts, {len(books.lines)} lines: {len(books.ran)} rows ran"
        f" ({statuses['successful']} successful, {statuses['skipped']} skipped) in {len(books.runs)} runs;"
        f" {len(books.taken)} of {len(books.things)} items on {len(set(books.taken.values()))} drafts, each once,"
        f" {late} of them billed over a month after their day; {year.edits} edits, {year.firm.restarts} restarts,"
        f" {year.post.late} messages late, {year.post.repeats} repeated, {len(year.foreign)} foreign triggers"
    )
