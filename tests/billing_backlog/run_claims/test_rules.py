"""What more may be claimed on a run."""

import pytest

from billing_backlog.run_claims.rules import Verb, allowed


@pytest.mark.parametrize(
    ("verb", "status", "wanted"),
    [
        ("refresh", "claimed", True), ("refresh", "skipped", True), ("refresh", "failed", False),
        ("claim", "claimed", True), ("claim", "skipped", True), ("claim", "failed", False),
        ("retry", "claimed", False), ("retry", "skipped", False), ("retry", "failed", True),
    ],
)  # fmt: skip
def test_every_verb_in_every_status(verb: Verb, status: str, wanted: bool) -> None:
    assert allowed(verb, status) is wanted
