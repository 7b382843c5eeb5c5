"""Rules of price lists."""

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.price_lists.rules import repeated_rates

keys = st.lists(st.tuples(st.just("time"), st.sampled_from("abc")), max_size=8)


@given(keys)
def test_every_rate_but_the_first_of_its_kind_is_repeated(rates: list[tuple[str, str]]) -> None:
    expected = [(n, rates.index(key)) for n, key in enumerate(rates) if rates.index(key) < n]
    assert repeated_rates(rates) == expected
