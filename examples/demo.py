"""`make demo`: plays the main job on the stack that `make up` has started, and tells what happened.

    PYTHONPATH=deploy:. .venv/bin/python -m examples.demo

With --data <csv>, or DATA=<csv> in the environment, it plays that file's time entries instead of the sample. It can be
repeated on the same stack: each play has names of its own (examples/setup.py). Exits with 1 and one clear line if
anything is off.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from examples import mixed, player, report, setup, story
from examples.check import compare, judge, misplaced
from examples.client import STACK_FILE, DemoError, Progress, Stack
from examples.plan import Plan, csv_plan, due_today, sample_plan

T = TypeVar("T")


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


def play(stack: Stack, plan: Plan, steps: Steps, number: int | None = None) -> report.Played:
    """The main job, step by step; with the `number` of the play the second act too, on a contract of its own."""
    show = steps.progress.show
    terms = steps.run(lambda: setup.make_terms(stack, plan), lambda made: _made(plan, made))
    rows, problems = steps.run(
        lambda: player.import_entries(stack, plan, show),
        lambda done: f"{story.plural(len(done[0]), 'time entry', 'time entries')} imported as approved",
    )
    judged = judge(plan, rows, datetime.now(UTC).date())
    expected = Counter(one.project for one in judged)
    items = steps.run(
        lambda: player.await_backlog(stack, expected, show),
        lambda found: f"{len(found):,} of them in the ledger and the backlog",
    )
    ready, unready = steps.run(
        lambda: player.mark_ready(stack, terms.contracts.values(), show),
        lambda done: f"{story.plural(done[0], 'item')} marked ready, {sum(done[1].values()):,} refused",
    )
    _hold(misplaced(judged, items, ready, unready))
    runs = _draft(stack, plan, terms, steps)
    removed, invoices = _approve(stack, terms, steps)
    summaries = player.summaries(stack, terms.contracts.values(), invoices)
    act = None
    if number is not None:
        act = steps.run(lambda: mixed.play(stack, number), _mixed)
    ledger = steps.run(
        lambda: player.check_ledger(stack, show),
        lambda result: f"{result['checked']:,} ledger rows checked, {len(result['violations'])} violations",
    )
    counted = [one for one in judged if removed is None or one.external_id != removed[1]]
    names = {contract_id: external_id for external_id, contract_id in terms.contracts.items()}
    _hold(compare(invoices, counted, names, setup.scheduled(plan)))
    return report.Played(
        plan=plan, problems=problems, judged=judged, items=items, ready=ready, runs=runs, removed=removed,
        invoices=invoices, summaries=summaries, ledger=ledger, mixed=act,
    )  # fmt: skip


def _mixed(act: mixed.Act) -> str:
    return (
        f"expense, material, milestone and product on {act.invoice['number']}; corrected by {act.corrective['number']}"
    )


def _approve(
    stack: Stack, terms: setup.Terms, steps: Steps
) -> tuple[tuple[dict[str, Any], str] | None, list[dict[str, Any]]]:
    """The second approval: what was taken off in the review, and the invoices as they were confirmed and posted."""
    drafts = player.invoices(stack, terms.contracts.values(), status="draft")
    if not drafts:
        raise DemoError("no draft was made: nothing of these entries can be billed")
    removed = steps.run(
        lambda: player.review(stack, drafts),
        lambda taken: f"{story.plural(len(drafts), 'draft')} reviewed, {'one' if taken else 'no'} detail taken off",
    )
    drafts = player.invoices(stack, terms.contracts.values(), status="draft")
    invoices = steps.run(
        lambda: player.confirm(stack, drafts, steps.progress.show),
        lambda posted: f"{story.plural(len(posted), 'invoice')} confirmed and in the ledger",
    )
    return removed, invoices


def _hold(wrong: Sequence[str]) -> None:
    """Raises DemoError when anything is wrong."""
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DemoError(f"{wrong[0]}{more}")


def _draft(stack: Stack, plan: Plan, terms: setup.Terms, steps: Steps) -> list[dict[str, Any]]:
    """Scheduled contracts are drafted because their day has come, the others because somebody asks."""
    show = steps.progress.show
    by_calendar = setup.scheduled_lines(plan)
    runs: list[dict[str, Any]] = []
    if by_calendar:
        rows = {terms.contracts[contract]: count for contract, count in by_calendar.items()}
        player.schedule(stack, plan, terms)

        def told(done: list[dict[str, Any]]) -> str:
            days, triggers = story.plural(len(done), "day"), story.plural(sum(rows.values()), "trigger")
            return f"{story.plural(len(rows), 'contract')} on schedule: {days} came, {triggers}, {len(done)} drafts"

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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo")
    parser.add_argument("--data", default=os.environ.get("DATA"), metavar="CSV", help="time entries of your own")
    parser.add_argument("--stack", default=STACK_FILE, type=Path, metavar="JSON", help="what `make up` has written")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        plan = csv_plan(Path(given.data)) if given.data else due_today(sample_plan(), datetime.now(UTC))
        with Stack(given.stack) as stack:
            number, plan = setup.next_play(stack, plan)
            print(story.heading(f"Proforma plays {plan.title} (play {number} on this stack)"))
            for remark in plan.remarks:
                print(f"  {remark}")
            played = play(stack, plan, Steps(), None if given.data else number)
            if played.problems and not given.data:
                raise DemoError(f"the import refused rows of the sample: {played.problems[0]}")
            report.tell(stack, played)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\n  Played in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
