"""What stands in the way of a confirm, without a database."""

from typing import Any

import pytest

from invoicing.confirmation.rules import place_of, refusal
from proforma.errors import BrokenRule, Conflict, NotFound, Problem, Stale


def invoice(**given: Any) -> dict[str, Any]:
    return {"status": "draft", "version": 4, "details": 2, **given}


@pytest.mark.parametrize("status", ["draft", "in_review"])
def test_a_reviewed_draft_may_be_confirmed(status: str) -> None:
    assert refusal(invoice(status=status), 4) is None


@pytest.mark.parametrize(
    ("found", "reason", "problem"),
    [
        (None, "not_found", NotFound),
        (invoice(status="building"), "wrong_state", Conflict),
        (invoice(status="discarded"), "wrong_state", Conflict),
        (invoice(status="confirmed"), "wrong_state", Conflict),
        (invoice(version=5), "stale", Stale),
        (invoice(version=3), "stale", Stale),
        (invoice(details=0), "no_details", Conflict),
        # The state is said before the version, and the version before what is missing.
        (invoice(status="confirmed", version=5), "wrong_state", Conflict),
        (invoice(version=5, details=0), "stale", Stale),
    ],
)
def test_what_stands_in_the_way_is_named(found: dict[str, Any] | None, reason: str, problem: type[Problem]) -> None:
    refused = refusal(found, 4)
    assert refused is not None
    assert refused.reason == reason
    assert type(refused.problem()) is problem
    if problem is Conflict:
        assert refused.problem().extra["reason"] == reason


def test_a_number_says_its_place() -> None:
    assert place_of("PF-2026-000007") == (2026, 7)
    assert place_of("PF-2026-1000000") == (2026, 1_000_000)


@pytest.mark.parametrize("text", ["", "PF-2026-7", "XX-2026-000007", "PF-2026-000007 ", "PF-26-000007"])
def test_any_other_text_is_no_number_of_ours(text: str) -> None:
    with pytest.raises(BrokenRule, match="not a number of ours"):
        place_of(text)
