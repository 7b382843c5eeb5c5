"""The product behind published ports: the calls of tests/flows over HTTP, repeated until something answers."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.product import SERVICES, Product

ANSWER_S = 180
PAUSE_S = 0.3
WAITS = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Remote(Product):
    """Calls a stack whose containers come and go; `repeated` tells of each try that was not the last.

    A call whose answer was lost is sent again with the same Idempotency-Key: this is what the keys are for.
    """

    urls: Mapping[str, str]
    tokens: Mapping[str, str]
    repeated: list[str] = field(default_factory=list)

    async def call(self, service: str, method: str, path: str, role: str, **request: Any) -> Any:
        """The answer's JSON; fails with the problem when it is not 2xx, or when nothing answers for three minutes."""
        headers = {
            **request.pop("headers", {}),
            "Authorization": f"Bearer {self.tokens[role]}",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        end = time.monotonic() + ANSWER_S
        while True:
            answer = await self._once(method, self.urls[service] + path, headers=headers, **request)
            if isinstance(answer, httpx.Response) and not _again(answer):
                assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer.json() if answer.content else None
            said = f"{answer.status_code} {answer.text}" if isinstance(answer, httpx.Response) else repr(answer)
            assert time.monotonic() < end, f"{method} {path} on {service}: {said} for {ANSWER_S} s"
            self.repeated.append(f"{method} {path}: {said}")
            await asyncio.sleep(PAUSE_S)

    async def _once(self, method: str, url: str, **request: Any) -> httpx.Response | httpx.TransportError:
        # A client for each call: a kept connection to a container that was killed helps nobody.
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            try:
                return await client.request(method, url, **request)
            except httpx.TransportError as error:
                return error

    async def dead_letters(self) -> list[dict[str, Any]]:
        """What could not take effect anywhere."""
        return [one for name in SERVICES for one in await self.all(name, "/v1/dead-letters", "admin")]


def _again(answer: httpx.Response) -> bool:
    """Whether the same call may succeed later: something is away, or its first try is still at work."""
    return answer.status_code in WAITS or (
        answer.status_code == httpx.codes.CONFLICT and "Idempotency-Key is still running" in answer.text
    )
