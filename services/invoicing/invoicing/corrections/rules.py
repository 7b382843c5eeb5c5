"""What of a confirmed invoice can be corrected (design §5.2). Pure."""

from collections.abc import Mapping
from typing import Any

from invoicing.invoices.rules import CONFIRMED, require
from proforma.errors import Conflict, NotFound


def check_original(status: str, posting: str, verb: str) -> None:
    """Raises Conflict: `wrong_state` unless it is confirmed, `posting_pending` while the ledger does not have it.

    What the ledger has not posted it could not take back either: the corrective's posting would come before its
    original's.
    """
    require(status, CONFIRMED, verb)
    if posting != "posted":
        raise Conflict(
            f"the ledger does not have the invoice yet: its posting is {posting}", reason="posting_pending",
            state=status, posting=posting,
        )  # fmt: skip


def check_details(state: Mapping[str, Any], asked: int | None) -> None:
    """Raises unless every detail that is asked for is live, or, with `asked` None, at least one of the invoice is.

    `state` counts details: `found`; `live` (above zero and in no corrective); `held` by an open corrective, one of
    which is `held_by`. Raises NotFound, and Conflict: `on_corrective` with that one, `wrong_state`.
    """
    if asked is not None and state["found"] < asked:
        raise NotFound(f"the invoice does not have {asked - state['found']} of the {asked} details")
    if state["held"]:
        raise Conflict(
            f"{state['held']} details are on corrective {state['held_by']}: confirm it, discard it or take them off it",
            reason="on_corrective", corrective_id=state["held_by"],
        )  # fmt: skip
    if state["live"] == 0:
        raise Conflict("nothing of it is billed any more: every detail is at zero or was replaced by a corrective's")
    if asked is not None and state["live"] < asked:
        raise Conflict(
            f"{asked - state['live']} of the {asked} details are at zero, or were replaced by a corrective's"
        )
