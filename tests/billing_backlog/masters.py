"""Master data over HTTP for tests: each function makes one valid thing, with the given fields in it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

from tests.support.api import Api

Json = dict[str, Any]


class Masters:
    """A biller's and a manager's desk on one running service."""

    def __init__(self, api: Api) -> None:
        self.biller = api.as_("biller")
        self.manager = api.as_("manager")

    async def customer(self, **fields: Any) -> Json:
        return await self._made("/v1/customers", {"name": "Acme", **fields})

    async def price_list(self, **fields: Any) -> Json:
        rate = {"class": "time", "role": "dev", "price": "200"}
        body = {"name": "Standard", "kind": "sales", "currency": "EUR", "rates": [rate], **fields}
        return await self._made("/v1/price-lists", body)

    async def contract(self, **fields: Any) -> Json:
        customer_id = fields.pop("customer_id", None) or (await self.customer())["id"]
        return await self._made("/v1/contracts", {**contract_body(customer_id), **fields})

    async def line(self, contract: Json, **fields: Any) -> Json:
        return await self._made("/v1/contract-lines", {**line_body(contract["id"]), **fields})

    async def product(self, contract: Json, **fields: Any) -> Json:
        body = {"contract_id": contract["id"], "name": "Routers", "kind": "product", "product": "R9", "quantity": "10"}
        return await self._made("/v1/contract-lines", {**body, "price": "50", **fields})

    async def milestone(self, line: Json, **fields: Any) -> Json:
        body = {"contract_line_id": line["id"], "name": "Acceptance", "date": "2026-02-27", "amount": "1000"}
        return await self._made("/v1/milestones", {**body, **fields})

    async def fixed_price(self, *amounts: str, contracted: str | None = None) -> tuple[Json, Json, list[Json]]:
        """An active contract, its fixed-price line and that line's milestones, which add up unless said otherwise."""
        total = contracted or str(sum((Decimal(amount) for amount in amounts), Decimal(0)))
        contract, line = await self.active(billing_method="fixed_price", contracted_amount=total)
        return contract, line, [await self.milestone(line, amount=amount) for amount in amounts]

    async def mark(self, noun: str, *things: Json, verb: str = "mark-ready") -> Json:
        """The answer to marking these ready."""
        answer = await self.biller.post(f"/v1/{noun}/{verb}", json={"ids": [one["id"] for one in things]})
        assert answer.status_code == 200, answer.text
        told: Json = answer.json()
        return told

    async def invoice(self, contract: Json, **body: Any) -> Json:
        """A manual run of the contract."""
        answer = await self.biller.post(f"/v1/contracts/{contract['id']}/create-invoice", json=body)
        assert answer.status_code == 202, answer.text
        run: Json = answer.json()
        return run

    async def active(self, **line: Any) -> tuple[Json, Json]:
        """An active contract and its only line."""
        contract = await self.contract()
        made = await self.line(contract, **line)
        answer = await self.verb(contract["id"], "activate")
        assert answer.status_code == 200, answer.text
        return answer.json(), made

    async def verb(self, contract_id: str, verb: str, etag: str = "*") -> httpx.Response:
        return await self.manager.post(f"/v1/contracts/{contract_id}/{verb}", headers={"If-Match": etag})

    async def patch(self, path: str, body: Json, etag: str = "*") -> httpx.Response:
        return await self.biller.patch(path, json=body, headers={"If-Match": etag})

    async def delete(self, path: str, etag: str = "*") -> httpx.Response:
        return await self.biller.delete(path, headers={"If-Match": etag})

    async def _made(self, path: str, body: Json) -> Json:
        answer = await self.biller.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made


def contract_body(customer_id: str | None = None) -> Json:
    return {"name": "Portal", "customer_id": customer_id or str(uuid4()), "currency": "EUR"}


def line_body(contract_id: str | None = None) -> Json:
    return {
        "contract_id": contract_id or str(uuid4()),
        "name": "Development",
        "kind": "project",
        "billing_method": "time_and_material",
        "project": "PORTAL",
        "includes": ["time"],
    }


def pointers(answer: httpx.Response) -> list[str]:
    """Where a 422 says that the body is wrong."""
    assert answer.status_code == 422, answer.text
    return [error["pointer"] for error in answer.json()["errors"]]


class Meeting:
    """Two calls wait for each other behind a step, so that neither has committed when the other passes it.

    Where a lock keeps the second one from the step, the first goes on after a while: then, and only then, one of
    the two sees what the other did.
    """

    def __init__(self) -> None:
        self._arrived = 0
        self._both = asyncio.Event()

    def after(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def met(*args: Any, **named: Any) -> Any:
            result = await step(*args, **named)
            self._arrived += 1
            if self._arrived == 2:
                self._both.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._both.wait()
            return result

        return met


def statuses(*answers: httpx.Response) -> list[int]:
    """The answers' statuses, the lowest first."""
    return sorted(answer.status_code for answer in answers)
