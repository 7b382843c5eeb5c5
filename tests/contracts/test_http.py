"""The four OpenAPI documents against the running services: any request gets a documented answer, never a 5xx."""

import asyncio
import socket
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import MakeRuntime
from tests.support.databases import PACKAGES
from tests.support.processes import environment, process
from tests.support.product import SERVICES
from tests.support.tokens import Tokens
from tests.support.waits import eventually

_EXAMPLES = 12
_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_is_documented(service: str, make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime(service)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    env = environment(runtime, PROFORMA_PORT=str(port), PROFORMA_LOG_LEVEL="CRITICAL")
    async with process(PACKAGES[service], "api", env), httpx.AsyncClient() as client:

        async def live() -> bool:
            try:
                return (await client.get(f"{url}/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(live, 60)
        await asyncio.to_thread(_fuzz, url, tokens.token("admin", "submitter", "approver", "biller", "manager"))


def _fuzz(url: str, token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 10
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def answered(case: Any) -> None:
            answer = case.call(headers={"Authorization": f"Bearer {token}"}, timeout=20)
            case.validate_response(answer, checks=_CHECKS)

        answered()
