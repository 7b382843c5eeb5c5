"""The life of a contract."""

import pytest

from billing_backlog.contract_lifecycle.rules import Verb, next_status


@pytest.mark.parametrize(
    ("status", "verb", "after"),
    [
        ("draft", "activate", "active"),
        ("active", "activate", None),
        ("closed", "activate", None),
        ("draft", "close", None),
        ("active", "close", "closed"),
        ("closed", "close", None),
    ],
)
def test_there_is_one_way_and_no_way_back(status: str, verb: Verb, after: str | None) -> None:
    assert next_status(status, verb) == after
