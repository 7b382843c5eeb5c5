"""What the demo tells when the play is over: the story with its figures, fetched from the services."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from examples import days, mixed, story
from examples.check import Judged, total
from examples.client import Stack
from examples.mixed import Act
from examples.plan import Plan

MANY = 30


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the steps, for the checks and the story."""

    plan: Plan
    problems: Sequence[dict[str, Any]]
    judged: Sequence[Judged]
    items: Sequence[dict[str, Any]]
    ready: int
    runs: Sequence[dict[str, Any]]
    removed: tuple[dict[str, Any], str] | None
    invoices: Sequence[dict[str, Any]]
    summaries: Sequence[dict[str, Any]]
    ledger: Mapping[str, Any]
    mixed: Act | None = None


def tell(stack: Stack, played: Played) -> None:
    """The story, with its figures."""
    print(story.heading("What happened"))
    for paragraph in _paragraphs(played):
        print(story.wrapped(paragraph) + "\n")
    _sums(played)
    _calendar(stack, played)
    _one_invoice(stack, played)
    _correction(played)

    print(story.heading("What was left out, and why"))
    print(story.reasons_text(*_left_out(stack, played)))

    print(story.heading("Checked"))
    ledger, count = played.ledger, story.plural(len(played.invoices), "invoice")
    print(
        f"  {ledger['checked']:,} ledger rows against every law of the ledger: {len(ledger['violations'])} violations"
    )
    print(f"  {count} against the CSV: each total is Σ round half up(hours × rate)")

    print(story.heading("Where to look next"))
    print(story.where_next(((service.name, service.url) for service in stack.all), stack.file, stack.again, stack.stop))


def _sums(played: Played) -> None:
    rows = [["", "cost", "unbilled", "ready", "on a draft", "billed"]]
    for summary in played.summaries[:MANY]:
        sums, currency = summary["total"], summary["currency"]
        cost = story.money(sums["cost"], summary["cost_currency"] or "")
        amounts = [story.money(sums[field], currency) for field in ("unbilled", "ready", "on_draft", "billed")]
        rows.append([summary["name"], cost, *amounts])
    print(story.table(rows, "<>>>>>"))
    if len(played.summaries) > MANY:
        print(f"  … and {len(played.summaries) - MANY:,} more contracts")


def _calendar(stack: Stack, played: Played) -> None:
    told = days.rows(stack, played.runs, played.invoices)
    if told:
        print(story.heading("By the calendar: contracts whose day came"))
        print(story.table([days.HEAD, *told], "<<><>><"))
        page = stack.scheduler.get(f"/v1/days/{told[-1][0]}")
        print(story.wrapped(days.closing(told, page, stack.scheduler.url)))


def _one_invoice(stack: Stack, played: Played) -> None:
    chosen = min(played.invoices, key=lambda one: (-int(one["lines"]), int(one["details"])))
    print(story.heading(f"One of {len(played.invoices):,} invoices" if len(played.invoices) > 1 else "The invoice"))
    path = f"/v1/invoices/{chosen['id']}"
    lines = stack.invoicing.pages(f"{path}/lines")
    print(story.invoice_text(chosen, lines, stack.invoicing.pages(f"{path}/details")))
    print(f"\n  As the customer sees it: GET {stack.invoicing.url}{path} with Accept: text/html")


def _correction(played: Played) -> None:
    if played.mixed is None:
        return
    print(story.heading("Not only hours: an invoice and its correction"))
    print(story.table(mixed.told(played.mixed), "<>>>"))
    back = played.mixed.returned
    print(f"\n  {back['quantity']} {back['unit']} of cable came back to the backlog, not ready: {back['amount']}.")


def _paragraphs(played: Played) -> list[str]:
    people = len({row["resource"] for row in played.plan.rows})
    everything = total(played.judged)
    verdicts: Counter[str] = Counter(one.verdict for one in played.judged)
    billed = sum(invoice["details"] for invoice in played.invoices)
    kept_back = [
        f"{verdicts[verdict]:,} {why}"
        for verdict, why in (
            ("no_line", "on no contract line (cost only)"),
            ("no_price", "without a price (never billed at 0)"),
            ("future", "ready for a day that has not come"),
        )
        if verdicts[verdict]
    ]
    told = [
        f"{story.plural(people, 'person', 'people')} booked {everything.hours:,.2f} hours in "
        f"{story.plural(everything.count, 'entry', 'entries')}. All of them were approved and posted their cost to "
        f"the ledger; {played.ready:,} have a contract line and a price and were marked ready."
        + (f" Not billed now: {', '.join(kept_back)}." if kept_back else ""),
        f"{story.plural(len(played.runs), 'run')} claimed what was ready and due, and invoicing drafted it."
        f"{_removed(played)} {story.plural(len(played.invoices), 'invoice')} with {story.plural(billed, 'detail')} "
        f"got a number, and the ledger reversed each unbilled row and posted the billed one.",
    ]
    if played.problems:
        first = played.problems[0]
        told.append(
            f"The import refused {story.plural(len(played.problems), 'row')}; the first is {first['external_id']}: "
            f"{first['detail']}."
        )
    return told


def _removed(played: Played) -> str:
    if played.removed is None:
        return ""
    detail, external_id = played.removed
    return (
        f" On review one detail was taken off ({detail['quantity']} h of {detail['resource']} on {detail['date']}, "
        f"entry {external_id}): it is ready again for the next invoice."
    )


def _left_out(stack: Stack, played: Played) -> tuple[Counter[str], dict[str, str]]:
    """Reason → entries that the newest run of each contract left out, or that no line takes; and one of each."""
    newest: dict[str, dict[str, Any]] = {}
    for run in sorted(played.runs, key=lambda run: str(run["run_date"])):
        newest[run["contract_id"]] = run
    items = {item["id"]: item for item in played.items}
    no_line = [item for item in played.items if item["billing_status"] == "cost_only"]
    counts = Counter(reason for item in no_line for reason in item["reasons"])
    examples = {reason: _named(item) for item in no_line for reason in item["reasons"]}
    for run in newest.values():
        for reason, count in ((reason, count) for line in run["lines"] for reason, count in line["left_out"].items()):
            if reason == "on_invoice":
                continue  # Billed by an earlier run: not left out of anything.
            counts[reason] += count
            if reason not in examples:
                path = f"/v1/invoice-runs/{run['id']}/left-out"
                first = stack.backlog.get(path, reason=reason, limit=1)["items"]
                examples.update((reason, _named(items[one["item_id"]])) for one in first if one["item_id"] in items)
    return counts, examples


def _named(item: Mapping[str, Any]) -> str:
    return f"{item['resource']}, {item['role']}, {item['quantity']} h on {item['date']}"
