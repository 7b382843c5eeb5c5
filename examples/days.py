"""What the demo tells of the calendar: each day of a schedule that has come, its triggers, its run and its draft."""

from collections.abc import Mapping, Sequence
from typing import Any

from examples import story
from examples.client import Stack

HEAD = ["run date", "the day began (UTC)", "triggers", "published (UTC)", "claimed", "", "draft"]
_TO_MINUTE = len("2026-03-02T09:00")
_TO_SECOND = len("2026-03-02T09:00:00")


def rows(stack: Stack, runs: Sequence[Mapping[str, Any]], invoices: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for each scheduled run, oldest date first, as the services tell it."""
    numbers = {one["run_id"]: str(one["number"]) for one in invoices}
    days = sorted((run for run in runs if run["kind"] == "scheduled"), key=lambda run: str(run["run_date"]))
    return [
        day(
            run,
            list(
                stack.scheduler.pages(
                    "/v1/triggers", contract_id=run["contract_id"], run_date=run["run_date"], status="published"
                )
            ),
            numbers.get(run["id"], "none"),
        )
        for run in days
    ]


def day(run: Mapping[str, Any], triggers: Sequence[Mapping[str, Any]], number: str) -> list[str]:
    """One day: when it began where the contract is, one trigger for each line, and what the run claimed."""
    return [
        str(run["run_date"]),
        _instant(min(str(one["due_at"]) for one in triggers), _TO_MINUTE),
        str(len(triggers)),
        _instant(max(str(one["published_at"]) for one in triggers), _TO_SECOND),
        story.plural(run["items"], "item"),
        story.money(run["amount"], run["currency"]),
        number,
    ]


def closing(told: Sequence[Sequence[str]], page: Mapping[str, Any], url: str) -> str:
    """What became of the last day, by the scheduler's own page of it."""
    earlier = len(told) - 1
    before = f" {story.plural(earlier, 'earlier day was', 'earlier days were')} made up for, oldest first." * (
        earlier > 0
    )
    return (
        f"The day {page['date']} has come.{before} The scheduler's page of it: {page['published']} published, "
        f"{page['owed']} owed (GET {url}/v1/days/{page['date']})."
    )


def _instant(text: str, length: int) -> str:
    return text[:length].replace("T", " ")
