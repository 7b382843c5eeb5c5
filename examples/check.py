"""The figures that must come out, computed from the CSV and the price lists alone, with arithmetic of our own.

Nothing of the product's code is used here: a mistake that both made would be no check.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from examples.plan import Plan, Row

Verdict = Literal["billable", "future", "no_price", "no_line"]
_DECIMALS = {"JPY": 0}


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry and what must become of it. `contract` and `line` are external ids; amount in `currency`."""

    external_id: str
    project: str
    day: date
    hours: Decimal
    verdict: Verdict
    contract: str | None = None
    line: str | None = None
    currency: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Count, hours and amount of some entries."""

    count: int = 0
    hours: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


def decimals(currency: str) -> int:
    """How many decimals amounts in this currency have."""
    return _DECIMALS.get(currency, 2)


def round_half_up(value: Decimal, currency: str) -> Decimal:
    """To the currency's smallest coin, a tie away from zero."""
    return value.quantize(Decimal(1).scaleb(-decimals(currency)), rounding=ROUND_HALF_UP)


def judge(plan: Plan, rows: Iterable[Row], today: date) -> list[Judged]:
    """What must become of each row on the day `today`."""
    rates = {
        one["external_id"]: {rate["role"]: Decimal(rate["price"]) for rate in one["rates"]} for one in plan.price_lists
    }
    by_project: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for contract in plan.contracts:
        for line in contract["lines"]:
            by_project.setdefault(line["project"], []).append((contract, line))
    return [_judge(row, by_project.get(row["project"], ()), rates, today) for row in rows]


def _judge(
    row: Row,
    lines: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    rates: Mapping[str, Mapping[str, Decimal]],
    today: date,
) -> Judged:
    day, hours = date.fromisoformat(row["date"]), Decimal(row["quantity"])
    found = next((both for both in lines if both[1]["tasks"] is None or row.get("task") in both[1]["tasks"]), None)
    if found is None:
        return Judged(row["external_id"], row["project"], day, hours, "no_line")
    contract, line = found
    price = rates[contract["sales_price_lists"][0]].get(row["role"])
    amount = None if price is None else round_half_up(hours * price, contract["currency"])
    verdict: Verdict = "no_price" if price is None else "future" if day > today else "billable"
    return Judged(
        row["external_id"], row["project"], day, hours, verdict,
        contract["external_id"], line["external_id"], contract["currency"], amount,
    )  # fmt: skip


def total(judged: Iterable[Judged]) -> Sums:
    """The sums; entries without a price count with their hours and no amount."""
    held = list(judged)
    return Sums(
        len(held),
        sum((one.hours for one in held), Decimal(0)),
        sum((one.amount for one in held if one.amount is not None), Decimal(0)),
    )


def due(judged: Iterable[Judged], contract: str, after: date | None, until: date | None) -> list[Judged]:
    """The billable entries of a contract dated later than `after` and not later than `until`."""
    return [
        one
        for one in judged
        if one.contract == contract
        and one.verdict == "billable"
        and (after is None or one.day > after)
        and (until is None or one.day <= until)
    ]


def misplaced(
    judged: Iterable[Judged], items: Iterable[Mapping[str, Any]], ready: int, unready: Mapping[str, int]
) -> list[str]:
    """What the backlog holds otherwise than it should, one line each; empty when all agrees.

    `ready`: how many items were marked ready; `unready`: reason → how many were refused.
    """
    verdicts = Counter(one.verdict for one in judged)
    found = Counter(
        "no_line" if item["billing_status"] == "cost_only" else "no_price" if item["amount"] is None else "priced"
        for item in items
    )
    pairs = {
        "on no contract line": (found["no_line"], verdicts["no_line"]),
        "without a price": (found["no_price"], verdicts["no_price"]),
        "marked ready": (ready, verdicts["billable"] + verdicts["future"]),
        "refused as no_price": (unready.get("no_price", 0), verdicts["no_price"]),
        "refused in all": (sum(unready.values()), verdicts["no_price"]),
    }
    return [
        f"{have} entries are {what}, {should} should be" for what, (have, should) in pairs.items() if have != should
    ]


def compare(
    invoices: Iterable[Mapping[str, Any]],
    judged: Sequence[Judged],
    contracts: Mapping[str, str],
    calendar: Mapping[str, Sequence[Mapping[str, str]]],
) -> list[str]:
    """What is wrong with the invoices, one line each; empty when every one of them is what the CSV says.

    `contracts`: id → external id. `calendar`: external id → the schedule's rows by run date.
    """
    wrong, billed = [], 0
    for invoice in invoices:
        contract = contracts[invoice["contract_id"]]
        sums = total(due(judged, contract, *_period(calendar.get(contract), invoice["invoice_date"])))
        billed += invoice["details"]
        if (sums.count, sums.amount) != (invoice["details"], Decimal(invoice["total"])):
            wrong.append(
                f"{invoice['number']} ({contract}) has {invoice['details']} details and {invoice['total']}; "
                f"the CSV says {sums.count} and {sums.amount}"
            )
    expected = sum(len(due(judged, contract, None, _end(calendar.get(contract)))) for contract in contracts.values())
    if billed != expected:
        wrong.append(f"{billed} entries are billed, {expected} should be")
    return wrong


def _period(rows: Sequence[Mapping[str, str]] | None, run_date: str) -> tuple[date | None, date | None]:
    """The days that a run takes: after the cut-off before its own and up to its own; all days without a schedule."""
    if rows is None:
        return None, None
    at = [row["run_date"] for row in rows].index(run_date)
    before = date.fromisoformat(rows[at - 1]["cut_off"]) if at else None
    return before, date.fromisoformat(rows[at]["cut_off"])


def _end(rows: Sequence[Mapping[str, str]] | None) -> date | None:
    return date.fromisoformat(rows[-1]["cut_off"]) if rows else None
