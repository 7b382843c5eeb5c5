"""One exchange rate a day for a pair."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.exchange_rates.rules import repeated_days

DAYS = st.tuples(st.sampled_from("AB"), st.sampled_from("CD"), st.sampled_from([date(2026, 1, n) for n in (1, 2)]))


@given(st.lists(DAYS, max_size=12))
def test_what_is_not_named_is_of_different_days_and_what_is_named_repeats_an_earlier_one(
    days: list[tuple[str, str, date]],
) -> None:
    sent = {f"/{n}": day for n, day in enumerate(days)}
    twice = repeated_days(sent)
    rest = [day for at, day in sent.items() if at not in twice]
    assert len(set(rest)) == len(rest) == len(set(days))
    places = list(sent)
    assert all(sent[at] == sent[first] and places.index(first) < places.index(at) for at, first in twice.items())
