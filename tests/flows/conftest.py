"""The firm of the seeds' tests: four services and their workers, with one contract, ready to be worked on."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import MakeApi, MakeTopics
from tests.flows.firm import Firm
from tests.support.product import together


@pytest.fixture
async def firm(api: MakeApi, make_topics: MakeTopics) -> AsyncIterator[Firm]:
    """The product at work, and the firm's contract in it."""
    product = await together(api, make_topics, partitions=1)
    async with product.working():
        firm = Firm(product)
        await firm.open()
        yield firm
