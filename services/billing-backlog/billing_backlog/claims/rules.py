"""How a claim travels: which lines its chunks name. Pure."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(others: Sequence[T], chunks: int) -> list[list[T]]:
    """`others` over `chunks` chunks, in order, as evenly as it goes, each once: no chunk grows with the contract."""
    least, more = divmod(len(others), chunks)
    parts, at = [], 0
    for number in range(chunks):
        size = least + (1 if number < more else 0)
        parts.append(list(others[at : at + size]))
        at += size
    return parts
