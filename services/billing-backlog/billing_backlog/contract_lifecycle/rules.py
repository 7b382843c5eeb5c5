"""The life of a contract: draft → active → closed, and no way back. Pure."""

from typing import Literal

Verb = Literal["activate", "close"]

FROM_TO: dict[Verb, tuple[str, str]] = {"activate": ("draft", "active"), "close": ("active", "closed")}


def next_status(status: str, verb: Verb) -> str | None:
    """The status after the verb; None where it is not allowed."""
    before, after = FROM_TO[verb]
    return after if status == before else None
