"""What every noun's tests over HTTP stand on."""

from typing import Any

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters
from tests.support.api import Api


@pytest.fixture
async def runtime(make_runtime: Any) -> Runtime:
    """billing-backlog on a fresh database; a lock that is held elsewhere is waited for one second."""
    made: Runtime = await make_runtime("billing-backlog", lock_timeout_s=1, pool_size=8)
    return made


@pytest.fixture
async def client(api: Any, runtime: Runtime) -> Api:
    """Its HTTP interface."""
    made: Api = await api(runtime)
    return made


@pytest.fixture
def desk(client: Api) -> Masters:
    """A biller and a manager at work on it."""
    return Masters(client)
