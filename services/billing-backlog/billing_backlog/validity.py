"""Ranges of days, of price lists and of contract lines alike: both ends inclusive, None is open. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Validity:
    """From `first` to `last`, both inclusive."""

    first: date | None = None
    last: date | None = None

    @property
    def in_order(self) -> bool:
        """False when it ends before it begins."""
        return self.first is None or self.last is None or self.first <= self.last

    def meets(self, other: "Validity") -> bool:
        """True when the two share a day."""
        return Validity(self.first, other.last).in_order and Validity(other.first, self.last).in_order


def first_overlap(ranges: Sequence[Validity]) -> tuple[int, int] | None:
    """The places of two ranges that share a day, in ascending order; None when all are apart.

    In order of their beginnings, only the range that reaches furthest so far can be met by the next one.
    """
    order = sorted(range(len(ranges)), key=lambda n: ranges[n].first or date.min)
    furthest: int | None = None
    for n in order:
        if furthest is not None and ranges[furthest].meets(ranges[n]):
            return min(furthest, n), max(furthest, n)
        # Those before are apart from one another, so the latest to begin is also the one that reaches furthest.
        furthest = n
    return None
