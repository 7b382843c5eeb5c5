"""Rules of price lists: one rate for one kind of work. Pure."""

from collections.abc import Sequence


def repeated_rates(keys: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """(place, place of the first) of every rate whose (class, role) an earlier one in the list has."""
    seen: dict[tuple[str, str], int] = {}
    return [(n, seen[key]) for n, key in enumerate(keys) if seen.setdefault(key, n) != n]
