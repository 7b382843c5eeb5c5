"""Invoicing under test: claims made by hand, delivered as the consumer delivers them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime
from tests.invoicing.claimed import Desk

MakeDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def make_desk(make_runtime: MakeRuntime, api: MakeApi) -> MakeDesk:
    """`await make_desk(limits={...})`: a fresh invoicing with its API."""

    async def make(**given: Any) -> Desk:
        runtime: Runtime = await make_runtime("invoicing", **given)
        return Desk(runtime, await api(runtime))

    return make


@pytest.fixture
async def desk(make_desk: MakeDesk) -> Desk:
    """Invoicing, empty."""
    return await make_desk()
