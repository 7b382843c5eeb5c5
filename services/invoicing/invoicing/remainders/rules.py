"""How a confirmed invoice is packed into events. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Packing:
    """How many chunks all the invoices of a confirm take, and those of them that have a detail with its rest beside it.

    Such an invoice is cut a detail earlier, so that a rest fits into the chunk of the detail that it is left of.
    """

    chunks: int
    paired: list[UUID]


def pack(invoices: Iterable[Mapping[str, Any]], edited: Mapping[UUID, Mapping[str, Any]], most: int) -> Packing:
    """The packing of invoices (`id`, `details`) into chunks of at most `most` details' weight."""
    chunks, paired = 0, []
    for invoice in invoices:
        own = edited.get(invoice["id"], {"written_off": 0, "extra": 0})
        if own["written_off"]:
            paired.append(invoice["id"])
        room = max(1, most - 1) if own["written_off"] else most
        chunks += -(-(invoice["details"] + own["extra"]) // room)
    return Packing(chunks, paired)
