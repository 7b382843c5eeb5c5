"""What pausing and resuming do, by the schedule's state."""

import pytest

from scheduler.pauses.rules import Action, changes


@pytest.mark.parametrize(
    ("action", "status", "paused", "expected"),
    [
        ("paused", "active", False, True),
        ("paused", "active", True, False),
        ("resumed", "active", True, True),
        ("resumed", "active", False, False),
        ("resumed", "ended", True, True),
        ("resumed", "ended", False, False),
        ("paused", "ended", True, False),
    ],
)
def test_changes(action: Action, status: str, paused: bool, expected: bool) -> None:
    assert changes(action, status, paused) is expected


def test_an_ended_one_is_not_paused() -> None:
    assert changes("paused", "ended", False) == "the schedule has ended: it triggers nothing any more"
