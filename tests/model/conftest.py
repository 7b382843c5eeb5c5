"""A firm with its three services, begun anew for every run of a test."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from proforma.clock import SetClock
from proforma.settings import ServiceSettings
from tests.billing_backlog.scene import CONTRACT, LINE, Terms, firm
from tests.model.books import Books
from tests.model.play import Play
from tests.model.world import SERVICES, World
from tests.support.api import Api, serving
from tests.support.databases import Databases, LentDatabase, service_named
from tests.support.tokens import Tokens

PRICE = 333_333
"""33.3333 an hour: with hundredths of an hour, nearly every amount is rounded."""

Firms = Callable[[int], Awaitable[Play]]


@pytest.fixture
async def firms(
    databases: Databases, make_settings: Callable[..., ServiceSettings], tokens: Tokens, clock: SetClock
) -> AsyncIterator[Firms]:
    """Makes a firm with one contract and nothing done yet, out of the same three services again and again."""
    async with AsyncExitStack() as ending:
        lent: list[LentDatabase] = []
        apis: dict[str, Api] = {}
        for name in SERVICES:
            service = service_named(name)
            lent.append(await databases.lend(service))
            ending.push_async_callback(databases.give_back, service, lent[-1])
            runtime = service.runtime(make_settings(lent[-1].url), "test", clock=clock)
            apis[name] = await ending.enter_async_context(serving(service.app(runtime), runtime, tokens))

        async def make(seed: int) -> Play:
            for database in lent:
                await databases.wipe(database)
            await firm(apis["billing-backlog"].runtime, Terms(sales_price="33.3333", cost_price="20"))
            return Play(World(apis, random.Random(seed)), Books(PRICE), str(CONTRACT), str(LINE))

        yield make
