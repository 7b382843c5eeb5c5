"""How a confirmed invoice is packed into events. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Packing:
    """How many chunks all the invoices of a confirm take, and whether one of their details was edited or added."""

    chunks: int
    edited: bool


def pack(invoices: Iterable[Mapping[str, Any]], edited: Mapping[UUID, Mapping[str, Any]], most: int) -> Packing:
    """The packing of invoices (`id`, `details`) into chunks of at most `most` details' weight.

    An invoice with a detail that has its rest beside it is cut a detail earlier, so that the rest fits into its chunk.
    """
    chunks, changed = 0, False
    for invoice in invoices:
        own = edited.get(invoice["id"], {"written_off": 0, "extra": 0})
        changed = changed or invoice["id"] in edited
        room = max(1, most - 1) if own["written_off"] else most
        chunks += -(-(invoice["details"] + own["extra"]) // room)
    return Packing(chunks, changed)
