"""What the tests of this service start from: bodies of entries, and ways to make some."""

import asyncio
from typing import Any

import httpx

from proforma.jobs import JobRunner
from proforma.runtime import Runtime
from tests.support.api import Api
from time_expense.worker import build_work

ENTRIES = "/v1/entries"
ANY = {"If-Match": "*"}


def body(**fields: Any) -> dict[str, Any]:
    """One time entry of ada's; `fields` replace or add."""
    return {
        "class": "time",
        "project": "P-1",
        "task": "design",
        "resource": "ada",
        "role": "consultant",
        "date": "2026-02-27",
        "quantity": "8.00",
        **fields,
    }


def expense(**fields: Any) -> dict[str, Any]:
    """One expense of ada's."""
    return {
        "class": "expense",
        "project": "P-1",
        "resource": "ada",
        "category": "travel",
        "date": "2026-02-27",
        "quantity": "2.00",
        "unit_cost": "49.90",
        "currency": "EUR",
        **fields,
    }


def material(**fields: Any) -> dict[str, Any]:
    """Material that ada used; `fields` say whether it is a product or a write_in."""
    return {
        "class": "material",
        "project": "P-1",
        "resource": "ada",
        "date": "2026-02-27",
        "quantity": "1000000.00",
        "unit_cost": "0.1234",
        "currency": "JPY",
        **fields,
    }


def pm(api: Api, **claims: Any) -> httpx.AsyncClient:
    """An approver who has no work in the entries."""
    return api.as_("approver", sub="pm", **claims)


def person(api: Api, sub: str = "ada") -> httpx.AsyncClient:
    """A submitter."""
    return api.as_("submitter", sub=sub)


async def made(api: Api, count: int = 1, *, sub: str = "ada", **fields: Any) -> list[dict[str, Any]]:
    """`count` drafts that `sub` entered."""
    answer = await person(api, sub).post(ENTRIES, json=[body(**fields) for _ in range(count)])
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def submitted(api: Api, count: int = 1, *, sub: str = "ada", **fields: Any) -> list[str]:
    """The ids of `count` entries that `sub` submitted."""
    ids = [entry["id"] for entry in await made(api, count, sub=sub, **fields)]
    answer = await person(api, sub).post(f"{ENTRIES}/submit", json={"ids": ids})
    assert answer.json()["changed"] == count, answer.text
    return ids


async def finish(runtime: Runtime) -> None:
    """Works on every job until none is left."""
    runner = JobRunner(runtime.database, runtime.context(), build_work(runtime).jobs)
    while await runner.run_next(asyncio.Event()):
        pass


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem that a call was answered with, which must be this one."""
    found: dict[str, Any] = answer.json()
    assert (answer.status_code, found.get("type")) == (status, f"urn:proforma:problem:{name}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return found


def pointers(answer: httpx.Response) -> list[str]:
    """The fields that a validation problem names."""
    return [error["pointer"] for error in problem(answer, 422, "validation")["errors"]]
