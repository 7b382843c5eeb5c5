"""Random work against the real services' code, with the books kept beside them by whole numbers."""

import os
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.conftest import SEED
from tests.model.commands import COMMANDS
from tests.model.conftest import Firms
from tests.model.invoices import details_of
from tests.model.play import Play, figures_of, hundredths, nothing_is_wrong, open_items

RUNS = int(os.environ.get("MODEL_RUNS", "200"))
"""Both halves together; `make model RUNS=5000` plays more."""

Steps = list[tuple[str, int, int]]
_NUMBERS = st.integers(0, 10**7)
# Left to chance, few runs would come as far as a correction.
_BEGINNINGS = (
    (),
    ("approve", "approve", "mark ready", "claim"),
    ("approve", "approve", "mark ready", "claim", "edit", "confirm"),
    ("approve", "approve", "mark ready", "claim", "edit", "confirm", "correct", "edit", "edit", "confirm"),
    ("approve", "set billing type", "mark ready", "claim", "confirm", "correct", "confirm", "reprice"),
)


def steps_of(names: st.SearchStrategy[str]) -> st.SearchStrategy[Steps]:
    return st.lists(st.tuples(names, _NUMBERS, _NUMBERS), max_size=12)


STEPS: st.SearchStrategy[Steps] = st.builds(
    lambda begun, more: begun + more,
    st.sampled_from(_BEGINNINGS).flatmap(
        lambda names: st.tuples(*(st.tuples(st.just(name), _NUMBERS, _NUMBERS) for name in names)).map(list)
    ),
    steps_of(st.sampled_from(sorted(COMMANDS))),
)

# Played in every run, whatever is drawn: each thing that may happen to an hour, once.
EVERYTHING: Steps = [
    ("approve", 799, 1), ("approve", 399, 1), ("set billing type", 0, 1), ("mark ready", 1, 0),
    ("reprice", 1_999_999, 1), ("mark ready", 1, 0), ("claim", 0, 0), ("edit", 0, 100), ("confirm", 0, 0),
    ("reprice", 2_499_999, 1), ("correct", 0, 0), ("edit", 0, 4), ("confirm", 0, 0), ("reprice", 2_999_999, 1),
    ("mark ready", 1, 0), ("unmark ready", 1, 0), ("cancel", 0, 1), ("repeat", 0, 0),
]  # fmt: skip


async def agree(play: Play) -> None:
    """The services say what the books say."""
    assert {key: one.told() for key, one in (await open_items(play)).items()} == {
        key: one.told() for key, one in play.books.items.items()
    }
    page = await play.world.ok("invoicing", "GET", "/v1/invoices?limit=1000", "biller")
    said = {one["id"]: one for one in page["items"]}
    assert said.keys() == play.books.invoices.keys()
    for key, invoice in play.books.invoices.items():
        shown: dict[str, Any] = said[key]
        assert shown["status"] == invoice.status
        if invoice.status == "discarded":
            continue
        assert (hundredths(shown["subtotal"]), shown["details"]) == (invoice.subtotal, len(invoice.details)), key
        assert shown["posting"] == ("posted" if invoice.status == "confirmed" else "none"), shown["posting_reason"]
        details = sorted(map(str, (figures_of(one) for one in await details_of(play, key))))
        assert details == sorted(map(str, (one.now for one in invoice.details.values())))


def half(n: int) -> Callable[..., None]:
    """Half of the runs, each half from a seed of its own, so that two workers may share them."""

    @hypothesis.seed(f"{os.environ.get(SEED)}/{n}")
    @settings(
        max_examples=RUNS // 2,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @example(steps=EVERYTHING, seed=0)
    @given(steps=STEPS, seed=st.integers(0, 2**32))
    async def plays(firms: Firms, steps: Steps, seed: int) -> None:
        play = await firms(seed)
        for name, one, other in steps:
            await COMMANDS[name](play, one, other)
            await agree(play)
        bills = play.books.invoices.values()
        event(f"{sum(one.kind == 'corrective' and one.status == 'confirmed' for one in bills)} corrected")
        await nothing_is_wrong(play)

    return plays


test_the_services_and_the_books_agree = half(1)
test_the_services_and_the_books_agree_in_other_runs = half(2)
