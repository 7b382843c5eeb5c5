"""Lines over chunks: each once, evenly, in order."""

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.claims.rules import spread


@given(st.lists(st.integers()), st.integers(1, 50))
def test_spread_names_each_once_and_evenly(others: list[int], chunks: int) -> None:
    parts = spread(others, chunks)
    assert len(parts) == chunks
    assert [one for part in parts for one in part] == others
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
