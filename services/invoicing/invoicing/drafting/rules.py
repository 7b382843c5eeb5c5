"""What a chunk of a claim must be, by itself and beside what is known of its claim and its draft."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from proforma.errors import BrokenRule


def check_chunk(
    chunk: int, chunks: int, announced: int, item_ids: Collection[UUID], item_lines: set[UUID], lines: Collection[UUID]
) -> None:
    """Raises BrokenRule when a chunk contradicts itself: each item once, and on a line that the chunk names."""
    if chunk > chunks:
        raise BrokenRule(f"chunk {chunk} of {chunks}")
    if len(set(item_ids)) != len(item_ids):
        raise BrokenRule("an item is named twice")
    if len(item_ids) > announced:
        raise BrokenRule(f"{len(item_ids)} items in a chunk of a claim of {announced}")
    if missing := item_lines - set(lines):
        raise BrokenRule(f"items of contract lines that the chunk does not name: {sorted(map(str, missing))}")


def check_claim(known: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Raises BrokenRule when two chunks tell different stories of the same claim."""
    differs = [name for name, value in told.items() if known[name] != value]
    if differs:
        raise BrokenRule(f"claim {known['id']} was told with another {', '.join(differs)} before")


def check_draft(draft: Mapping[str, Any] | None, contract_id: UUID, currency: str) -> None:
    """Raises BrokenRule when a claim is of another contract or currency than its run's draft, where there is one."""
    if draft is not None and (draft["contract_id"], draft["currency"]) != (contract_id, currency):
        raise BrokenRule(f"draft {draft['id']} of the run is of contract {draft['contract_id']} in {draft['currency']}")


def later(one: date | None, other: date | None) -> date | None:
    """The later of two cut-offs, so that the order of claims does not matter."""
    return max((day for day in (one, other) if day is not None), default=None)


def check_counts(claim_id: UUID, seen: int, chunks: int, items_seen: int, items: int) -> None:
    """Raises BrokenRule when the items of the chunks do not add up to what the claim announced."""
    if items_seen > items or (seen == chunks and items_seen != items):
        raise BrokenRule(f"claim {claim_id} announced {items} items; {seen} of {chunks} chunks hold {items_seen}")
