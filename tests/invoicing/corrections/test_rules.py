"""What of a confirmed invoice can be corrected, without a database."""

from typing import Any

import pytest

from invoicing.corrections.rules import check_details, check_original
from proforma.errors import Conflict, NotFound


@pytest.mark.parametrize("status", ["confirmed", "paid"])
def test_what_the_ledger_has_can_be_corrected(status: str) -> None:
    check_original(status, "posted", "correct")


@pytest.mark.parametrize(
    ("status", "posting", "reason"),
    [
        ("building", "none", "wrong_state"),
        ("draft", "none", "wrong_state"),
        ("in_review", "none", "wrong_state"),
        ("discarded", "none", "wrong_state"),
        ("confirmed", "pending", "posting_pending"),
        ("confirmed", "blocked", "posting_pending"),
        ("paid", "pending", "posting_pending"),
    ],
)
def test_what_it_does_not_have_cannot(status: str, posting: str, reason: str) -> None:
    with pytest.raises(Conflict) as refused:
        check_original(status, posting, "correct")
    assert (refused.value.reason, refused.value.extra["state"]) == (reason, status)


def state(**given: Any) -> dict[str, Any]:
    return {"found": 3, "live": 3, "held": 0, "held_by": None, **given}


@pytest.mark.parametrize(("of", "asked"), [(state(), None), (state(live=1), None), (state(), 3)])
def test_live_details_are_corrected(of: dict[str, Any], asked: int | None) -> None:
    check_details(of, asked)


@pytest.mark.parametrize(
    ("of", "asked", "reason"),
    [
        (state(live=2, held=1, held_by="c"), None, "on_corrective"),
        (state(live=2, held=1, held_by="c"), 3, "on_corrective"),
        (state(live=0), None, "wrong_state"),
        (state(live=2), 3, "wrong_state"),
    ],
)
def test_others_are_refused(of: dict[str, Any], asked: int | None, reason: str) -> None:
    with pytest.raises(Conflict) as refused:
        check_details(of, asked)
    assert refused.value.reason == reason
    if reason == "on_corrective":
        assert refused.value.extra["corrective_id"] == "c"


def test_an_unknown_detail_is_said_first() -> None:
    with pytest.raises(NotFound):
        check_details(state(found=2, live=1, held=1), 3)
