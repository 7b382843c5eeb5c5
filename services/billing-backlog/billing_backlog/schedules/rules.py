"""What a schedule takes from its line and contract where it says nothing itself. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from billing_backlog.frequencies.rules import Frequency, Terms


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What a schedule must know of a contract line and its contract."""

    contract_id: UUID
    billing_method: str | None
    billing_start: date | None
    end_date: date | None
    time_zone: str


def terms_of(
    frequency: Frequency, start: date | None, end: date | None, days_before: int, line: LineFacts | None, today: date
) -> Terms:
    """The terms with their defaults: from the line's billing start, or `today`; to the contract's end date."""
    by_line = (line.billing_start, line.end_date) if line is not None else (None, None)
    return Terms(frequency, start or by_line[0] or today, end or by_line[1], days_before)


def terms_errors(terms: Terms, today: date | None) -> list[dict[str, Any]]:
    """What is wrong with terms, by pointer: they end before they begin, or name no day from `today` on."""
    if not terms.in_order:
        return [{"pointer": "/end", "detail": f"{terms.end} is before the start, {terms.start}"}]
    if today is not None and not terms.has_dates(today):
        until = f" and {terms.end}" if terms.end else ""
        return [{"pointer": "/frequency", "detail": f"names no day between {max(today, terms.start)}{until}"}]
    return []
