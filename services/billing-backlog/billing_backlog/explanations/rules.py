"""Why an item is where it is, in words: what refuses the work, whose turn it is. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

Turn = Literal["biller", "manager", "run", "nobody"]


@dataclass(frozen=True, slots=True)
class Lying:
    """The work, as contract lines look at it."""

    item_class: str
    task: str | None
    date: date


@dataclass(frozen=True, slots=True)
class Taking:
    """What a line of the work's project takes. Days are inclusive, None is open; tasks None are all of them."""

    contract_status: str
    includes: Collection[str]
    tasks: Collection[str] | None
    valid_from: date | None
    valid_to: date | None


def refusals(line: Taking, work: Lying) -> list[str]:
    """Each thing about the line that keeps the work off it; none: it takes it."""
    found = []
    if line.contract_status != "active":
        found.append(f"its contract is {line.contract_status}")
    if work.item_class not in line.includes:
        found.append(f"class {work.item_class} is not among {', '.join(sorted(line.includes))}")
    if line.tasks is not None and work.task not in line.tasks:
        found.append(f"task {work.task} is not among its tasks" if work.task else "work without a task is not taken")
    if line.valid_from is not None and work.date < line.valid_from:
        found.append(f"{work.date} is before its first day, {line.valid_from}")
    if line.valid_to is not None and work.date > line.valid_to:
        found.append(f"{work.date} is after its last day, {line.valid_to}")
    return found


_FIXED: dict[str, str] = {
    "no_contract_line": "No line of an active contract takes the work",
    "class_not_included": "A line has the project, task and day, but not the class",
    "contract_not_active": "The contract that has a line for it is not active",
    "no_price": "No sales price: see the price lists that were searched",
    "no_exchange_rate": "No exchange rate on or before the day of the work",
    "not_ready": "A biller has not marked it ready",
    "not_chargeable": "Nobody pays for it: it goes on the invoice and adds nothing to the total",
    "no_cost_price": "What it costs is not known; that keeps it from nothing",
    "future_dated": "Its day is still to come; a run takes it from that day on",
    "before_billing_start": "It is dated before the line's billing start",
    "after_contract_end": "It is dated after the contract's end",
    "schedule_missing": "No run that is planned will take it; a manual one does",
    "on_invoice": "It is on an invoice that is not confirmed yet",
    "posted": "It is billed",
    "canceled": "It was reversed and will not be billed under this id",
}
_BILLER = ("no_contract_line", "class_not_included", "no_price", "no_exchange_rate", "before_billing_start",
           "after_contract_end", "not_ready")  # fmt: skip


def sentence(reason: str) -> str:
    """What a reason means."""
    return _FIXED[reason]


def turn(status: str, reasons: Sequence[str]) -> tuple[Turn, str]:
    """(who has to do something next, what)."""
    if status in ("posted", "canceled"):
        return "nobody", "it is done"
    if status == "on_invoice":
        return "manager", "confirm the invoice, or take it off"
    if "contract_not_active" in reasons:
        return "manager", "activate the contract"
    first = next((reason for reason in _BILLER if reason in reasons), None)
    if first is not None:
        return "biller", _TO_DO[first]
    if "schedule_missing" in reasons:
        return "biller", "create the invoice, or give the line a schedule"
    return "run", "the next run whose cut-off reaches its day takes it"


_TO_DO = {
    "no_contract_line": "add a line for it, then re-evaluate",
    "class_not_included": "include the class on the line, then re-evaluate",
    "no_price": "add a rate, then re-evaluate",
    "no_exchange_rate": "add the exchange rate, then re-evaluate",
    "before_billing_start": "change the line's billing start",
    "after_contract_end": "change the contract's end",
    "not_ready": "look at it and mark it ready",
}
