"""`make demo`: plays the main job on the stack that `make up` has started, and tells what happened.

    PYTHONPATH=deploy:. .venv/bin/python -m examples.demo

With DATA=<csv> in the environment it plays that file's time entries instead of the sample. It can be repeated on the
same stack: each play has names of its own (examples/setup.py). Exits with 1 and one clear line if anything is off.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from examples import player, setup, story
from examples.check import Judged, compare, judge, total
from examples.client import DemoError, Progress, Stack
from examples.plan import Plan, csv_plan, sample_plan

T = TypeVar("T")

MANY = 30


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the steps, for the checks and the story."""

    plan: Plan
    terms: setup.Terms
    refused: Sequence[dict[str, Any]]
    judged: Sequence[Judged]
    items: Sequence[dict[str, Any]]
    ready: int
    runs: Sequence[dict[str, Any]]
    removed: tuple[dict[str, Any], str]
    invoices: Sequence[dict[str, Any]]
    ledger: Mapping[str, Any]


class Steps:
    """Prints each step when it is done, with its time; shows progress meanwhile."""

    def __init__(self) -> None:
        self.progress = Progress()

    def run(self, work: Callable[[], T], told: Callable[[T], str]) -> T:
        began = time.monotonic()
        try:
            result = work()
        finally:
            self.progress.clear()
        print(f"  {told(result):<82}{time.monotonic() - began:6.1f} s", flush=True)
        return result


def play(stack: Stack, plan: Plan, steps: Steps) -> Played:
    """The main job, step by step."""
    show = steps.progress.show
    terms = steps.run(lambda: setup.make_terms(stack, plan), lambda made: _made(plan, made))
    refused = steps.run(
        lambda: player.import_entries(stack, plan, show),
        lambda rows: f"{story.plural(len(plan.rows) - len(rows), 'time entry', 'time entries')} imported as approved",
    )
    judged = _accepted(plan, refused)
    expected = Counter(one.project for one in judged)
    items = steps.run(
        lambda: player.await_backlog(stack, expected, show),
        lambda found: f"{len(found):,} of them in the ledger and the backlog",
    )
    ready, _ = steps.run(
        lambda: player.mark_ready(stack, terms.contracts.values(), show),
        lambda done: f"{done[0]:,} items marked ready, {sum(done[1].values()):,} refused",
    )
    runs = _draft(stack, plan, terms, steps)
    drafts = player.invoices(stack, terms.contracts.values(), status="draft")
    if not drafts:
        raise DemoError("no draft was made: nothing of these entries can be billed")
    removed = steps.run(
        lambda: player.review(stack, max(drafts, key=lambda draft: int(draft["details"]))),
        lambda _: f"{story.plural(len(drafts), 'draft')} reviewed, one detail taken off and released",
    )
    drafts = player.invoices(stack, terms.contracts.values(), status="draft")
    invoices = steps.run(
        lambda: player.confirm(stack, drafts, show),
        lambda posted: f"{story.plural(len(posted), 'invoice')} confirmed and in the ledger",
    )
    ledger = steps.run(
        lambda: player.check_ledger(stack, show),
        lambda result: f"{result['checked']:,} ledger rows checked, {len(result['violations'])} violations",
    )
    return Played(plan, terms, refused, judged, items, ready, runs, removed, invoices, ledger)


def _draft(stack: Stack, plan: Plan, terms: setup.Terms, steps: Steps) -> list[dict[str, Any]]:
    """Scheduled contracts are drafted because their day has come, the others because somebody asks."""
    show = steps.progress.show
    by_calendar = setup.scheduled_lines(plan)
    runs: list[dict[str, Any]] = []
    if by_calendar:
        rows = {terms.contracts[contract]: count for contract, count in by_calendar.items()}
        player.schedule(stack, plan, terms)

        def told(done: list[dict[str, Any]]) -> str:
            return f"{story.plural(len(rows), 'contract')} on schedule: {story.plural(len(done), 'run')} drafted"

        runs = steps.run(lambda: player.await_drafts(stack, rows, show), told)
    asked = {
        terms.contracts[contract["external_id"]]: len(contract["lines"])
        for contract in plan.contracts
        if contract["external_id"] not in by_calendar
    }

    def ask() -> list[dict[str, Any]]:
        player.create_invoices(stack, list(asked), show)
        return player.await_drafts(stack, asked, show)

    return runs + steps.run(ask, lambda done: f"{story.plural(len(done), 'contract')} drafted on request")


def _made(plan: Plan, made: setup.Terms) -> str:
    return (
        f"{story.plural(len(plan.customers), 'customer')}, {story.plural(len(plan.price_lists), 'price list')}, "
        f"{story.plural(len(made.contracts), 'contract')} with {story.plural(len(made.lines), 'line')}, all active"
    )


def _accepted(plan: Plan, refused: Iterable[Mapping[str, Any]]) -> list[Judged]:
    bad = {one["external_id"] for one in refused}
    return judge(plan, [row for row in plan.rows if row["external_id"] not in bad], datetime.now(UTC).date())


def tell(stack: Stack, played: Played) -> None:
    """The story, with its figures."""
    print(story.heading("What happened"))
    for paragraph in _paragraphs(played):
        print(story.wrapped(paragraph) + "\n")
    names = {contract["external_id"]: contract for contract in played.plan.contracts}
    rows = [["", "cost", "unbilled", "ready", "on a draft", "billed"]]
    for external_id, contract_id in played.terms.contracts.items():
        summary = stack.backlog.get(f"/v1/contracts/{contract_id}/summary")
        sums, currency = summary["total"], summary["currency"]
        cost = story.money(sums["cost"], summary["cost_currency"] or "")
        amounts = [story.money(sums[field], currency) for field in ("unbilled", "ready", "on_draft", "billed")]
        rows.append([names[external_id]["name"], cost, *amounts])
    print(story.table(rows if len(rows) <= MANY else [*rows[:MANY], ["…", "", "", "", "", ""]], "<>>>>>"))

    chosen = min(played.invoices, key=lambda one: (-int(one["lines"]), int(one["details"])))
    print(story.heading(f"One of the {story.plural(len(played.invoices), 'invoice')}"))
    path = f"/v1/invoices/{chosen['id']}"
    lines = stack.invoicing.pages(f"{path}/lines")
    print(story.invoice_text(chosen, lines, stack.invoicing.pages(f"{path}/details")))
    print(f"\n  As the customer sees it: GET {stack.invoicing.url}{path} with Accept: text/html")

    print(story.heading("What was left out, and why"))
    print(story.reasons_text(_left_out(played)))

    print(story.heading("Checked"))
    ledger, count = played.ledger, story.plural(len(played.invoices), "invoice")
    print(
        f"  {ledger['checked']:,} ledger rows against every law of the ledger: {len(ledger['violations'])} violations"
    )
    print(f"  {count} against the CSV: each total is Σ round half up(hours × rate)")

    print(story.heading("Where to look next"))
    print(story.where_next((service.name, service.url) for service in stack.all))


def _paragraphs(played: Played) -> list[str]:
    people = len({row["resource"] for row in played.plan.rows})
    everything = total(played.judged)
    verdicts = Counter(one.verdict for one in played.judged)
    billed = sum(invoice["details"] for invoice in played.invoices)
    removed, external_id = played.removed
    told = [
        f"{story.plural(people, 'person', 'people')} booked {everything.hours:,} hours in "
        f"{story.plural(everything.count, 'entry', 'entries')}; all of them were approved and posted their cost to "
        f"the ledger. {verdicts['no_line']:,} are on no contract line: cost only. Of the others "
        f"{verdicts['no_price']:,} have no price and cannot be billed; the rest, {played.ready:,}, were marked ready, "
        f"{verdicts['future']:,} of them for a day that has not come yet.",
        f"{story.plural(len(played.runs), 'run')} claimed what was ready and due, and invoicing drafted it. On review "
        f"one detail was taken off ({removed['quantity']} h of {removed['resource']} on {removed['date']}, entry "
        f"{external_id}): it is ready again for the next invoice. {story.plural(len(played.invoices), 'invoice')} with "
        f"{story.plural(billed, 'detail')} got their numbers, and the ledger reversed each unbilled row and posted the "
        f"billed one.",
    ]
    if played.refused:
        first = played.refused[0]
        told.append(
            f"The import refused {story.plural(len(played.refused), 'row')}; the first is row {first['row']}: "
            f"{first['detail']}"
        )
    return told


def _left_out(played: Played) -> Counter[str]:
    """Reason → entries: what the newest run of each contract has left out, and the work that no line takes."""
    newest: dict[str, dict[str, Any]] = {}
    for run in sorted(played.runs, key=lambda run: str(run["run_date"])):
        newest[run["contract_id"]] = run
    counts: Counter[str] = Counter(
        reason for item in played.items for reason in item["reasons"] if item["billing_status"] == "cost_only"
    )
    for run in newest.values():
        for line in run["lines"]:
            counts.update(line["left_out"])
    return counts


def main() -> int:
    began = time.monotonic()
    try:
        data = os.environ.get("DATA")
        plan = csv_plan(Path(data)) if data else sample_plan()
        with Stack() as stack:
            number, plan = setup.next_play(stack, plan)
            print(story.heading(f"Proforma plays {plan.title} (play {number} on this stack)"))
            for remark in plan.remarks:
                print(f"  {remark}")
            played = play(stack, plan, Steps())
            names = {contract_id: external_id for external_id, contract_id in played.terms.contracts.items()}
            counted = [one for one in played.judged if one.external_id != played.removed[1]]
            wrong = compare(played.invoices, counted, names, setup.scheduled(plan))
            if wrong:
                raise DemoError(f"{len(wrong)} totals are wrong: {wrong[0]}")
            tell(stack, played)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\n  Played in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
