"""A simulated year of billing-backlog, scheduler and invoicing, day by day, against books that know none of them.

Their processes come in pairs and are replaced, are down for days and make up for them; what they say to one another is
late, repeated and shuffled; rows are moved, taken out and added, also into the past; work is approved and released
late, on time or ahead; somebody else's scheduler triggers too. `make year` plays it in full, `make test` a short one.
"""

import os
import random

import pytest

from proforma.clock import SetClock
from tests.conftest import MakeApi, MakeRuntime
from tests.year import verdict
from tests.year.firm import Firm
from tests.year.portfolio import FULL, SMALL, portfolio
from tests.year.setup import agree
from tests.year.world import Year


async def test_each_row_runs_once_and_each_item_is_on_the_invoice_of_its_day(
    make_runtime: MakeRuntime, api: MakeApi, clock: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    full = os.environ.get("YEAR") == "full"
    size = FULL if full else SMALL
    print(f"SEED={seed} {size}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    contracts = portfolio(chance, size)
    runtimes = {name: await make_runtime(name) for name in ("billing-backlog", "scheduler", "invoicing")}
    desk = await api(runtimes["billing-backlog"])
    await agree(runtimes["billing-backlog"], desk, contracts, clock)
    firm = Firm(runtimes, clock, chance)
    try:
        year = Year(firm, desk, contracts, clock, chance)
        await year.live(size.days)
        await verdict.as_the_books_say(year, runtimes, desk)
        if full:
            with capsys.disabled():
                print(f"\nSEED={seed}: {verdict.figures(year)}")  # noqa: T201 - what `make year` is for
    finally:
        await firm.close()
