"""What more may be claimed on a run, by what became of it. Pure."""

from typing import Literal

Verb = Literal["refresh", "claim", "retry"]

ALLOWED: dict[Verb, tuple[str, ...]] = {
    "refresh": ("claimed", "skipped"),
    "claim": ("claimed", "skipped"),
    "retry": ("failed",),
}


def allowed(verb: Verb, status: str) -> bool:
    """A failed run is retried, as a whole, before anything else joins it."""
    return status in ALLOWED[verb]
