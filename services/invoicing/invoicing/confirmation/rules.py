"""When an invoice may be confirmed, and what stands in the way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from invoicing.invoices.rules import EDITABLE
from proforma.errors import BrokenRule, Conflict, NotFound, Problem, Stale

_NUMBER = re.compile(r"PF-([0-9]{4})-([0-9]{6,9})")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an invoice is not confirmed: `reason` for a program, `detail` for a person."""

    reason: Literal["not_found", "wrong_state", "stale", "no_details"]
    detail: str
    state: str | None = None

    def problem(self) -> Problem:
        """The same refusal as the answer to a call for one invoice."""
        if self.reason == "not_found":
            return NotFound(self.detail)
        if self.reason == "stale":
            return Stale(self.detail)
        if self.state is not None:
            return Conflict(self.detail, reason=self.reason, state=self.state, allowed=list(EDITABLE))
        return Conflict(self.detail, reason=self.reason)


def refusal(invoice: Mapping[str, Any] | None, version: int) -> Refused | None:
    """Why `version` of the invoice cannot be confirmed; None when it can.

    The state is looked at before the version: who comes second hears that it is confirmed, not that it changed.
    """
    if invoice is None:
        return Refused("not_found", "there is no such invoice")
    if invoice["status"] not in EDITABLE:
        status = invoice["status"]
        return Refused("wrong_state", f"the invoice is {status}; to confirm it must be draft or in_review", status)
    if invoice["version"] != version:
        return Refused("stale", f"the invoice is at version {invoice['version']}, you reviewed {version}")
    if invoice["details"] == 0:
        return Refused("no_details", "the invoice has no detail")
    return None


def place_of(number: str) -> tuple[int, int]:
    """Year and place in the year of a number such as PF-2026-000007; raises BrokenRule for any other text."""
    found = _NUMBER.fullmatch(number)
    if found is None:
        raise BrokenRule(f"{number!r} is not a number of ours")
    return int(found[1]), int(found[2])


NO_CHANGE = Refused("no_details", "no detail of the corrective differs from its original")
