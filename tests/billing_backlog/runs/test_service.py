"""Runs: manual, in bulk, scheduled; what they left out and why."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from billing_backlog.runs.service import RunLine, run_scheduled, scheduled_run_id
from billing_backlog.worker import JOBS
from proforma.db import execute
from proforma.errors import Conflict
from proforma.jobs import JobRunner
from tests.billing_backlog.scene import (
    CONTRACT,
    CUSTOMER,
    LINE,
    approve,
    claimed,
    contract,
    entry,
    firm,
    items,
    ready,
    run,
    violations,
)  # fmt: skip
from tests.conftest import MakeApi
from tests.support.api import Api


@pytest.fixture
async def backlog(api: MakeApi) -> Api:
    found = await api("billing-backlog")
    await firm(found.runtime)
    return found


async def scheduled(backlog: Api, run_date: date, lines: dict[UUID, date]) -> Any:
    runtime = backlog.runtime
    async with runtime.database.transaction() as session:
        due = [RunLine(line, cut_off) for line, cut_off in lines.items()]
        return await run_scheduled(session, runtime.context(), CONTRACT, run_date, due)


async def test_a_run_tells_what_it_left_out_and_why(backlog: Api) -> None:
    runtime = backlog.runtime
    await ready(runtime, 1, 2)
    await ready(runtime, 3, date=date(2026, 2, 27))
    await ready(runtime, 4, date=date(2026, 4, 1))
    await approve(runtime, entry(5), entry(6, role="poet"))
    answer = await backlog.as_("biller").post(
        f"/v1/contracts/{CONTRACT}/create-invoice", json={"cut_off": "2026-02-26"}
    )
    assert answer.status_code == 202
    shown = answer.json()
    assert (shown["status"], shown["run_date"]) == ("claimed", "2026-03-02")
    (line,) = shown["lines"]
    assert (line["items"], line["amount"]) == (2, "3200.00")
    assert line["left_out"] == {"after_cut_off": 1, "future_dated": 1, "not_ready": 1, "no_price": 1}
    left = await backlog.as_("biller").get(answer.headers["location"] + "/left-out")
    assert sorted(one["reason"] for one in left.json()["items"]) == sorted(line["left_out"])
    only = await backlog.as_("biller").get(answer.headers["location"] + "/left-out", params={"reason": "no_price"})
    assert [one["amount"] for one in only.json()["items"]] == [None]
    second = await run(runtime, cut_off=date(2026, 2, 26))
    assert (second.status, second.reason) == ("skipped", "nothing_to_bill")
    assert second.lines[0].left_out["on_invoice"] == 2
    assert second.claims == []


async def test_named_items_only(backlog: Api) -> None:
    await ready(backlog.runtime, 1, 2, 3)
    chosen = (await items(backlog.runtime))[1]["id"]
    made = await run(backlog.runtime, item_ids=[chosen])
    assert made.claims[0].items == 1
    assert [item["id"] for item in await items(backlog.runtime) if item["billing_status"] == "on_invoice"] == [chosen]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"run_date": "2026-03-03"}, "/run_date"), ({"run_date": "x"}, "/run_date"), ({"items": []}, "/items")],
)
async def test_bad_runs(backlog: Api, body: dict[str, Any], pointer: str) -> None:
    answer = await backlog.as_("biller").post(f"/v1/contracts/{CONTRACT}/create-invoice", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_closed_contracts_and_unknown_ones(backlog: Api) -> None:
    async with backlog.runtime.database.transaction() as session:
        await execute(session, "update contracts set status = 'closed'")
    client = backlog.as_("biller")
    closed = await client.post(f"/v1/contracts/{CONTRACT}/create-invoice", json={})
    assert (closed.status_code, closed.json()["reason"]) == (409, "contract_not_active")
    assert (await client.post(f"/v1/contracts/{UUID(int=9)}/create-invoice")).status_code == 404


async def test_the_same_key_makes_one_run(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    client, key = backlog.as_("biller"), {"Idempotency-Key": "k"}
    address = f"/v1/contracts/{CONTRACT}/create-invoice"
    both = await asyncio.gather(*(client.post(address, json={}, headers=key) for _ in range(2)))
    assert both[0].text == both[1].text
    assert len((await client.get("/v1/invoice-runs")).json()["items"]) == 1


async def test_lines_of_the_same_date_share_one_run(backlog: Api) -> None:
    second = UUID(int=33)
    runtime = backlog.runtime
    async with runtime.database.transaction() as session:
        await execute(
            session,
            "insert into contract_lines select $1, null, contract_id, name, kind, billing_method, 'P2', tasks,"
            " includes, valid_from, valid_to, billing_start, version, created_at, created_by, updated_at"
            " from contract_lines where id = $2",
            second, LINE,
        )  # fmt: skip
    await ready(runtime, 1, project="P2", date=date(2026, 3, 1))
    await ready(runtime, 2)
    day = date(2026, 3, 2)
    empty = await scheduled(backlog, day, {second: date(2026, 2, 28)})
    assert (empty.claim_id, empty.run_id) == (None, scheduled_run_id(CONTRACT, day))
    first = await scheduled(backlog, day, {LINE: date(2026, 3, 1)})
    assert first.taken[LINE].items == 1
    again = await scheduled(backlog, day, {second: date(2026, 3, 1)})
    assert again.run_id == first.run_id == empty.run_id
    (shown,) = (await backlog.as_("biller").get("/v1/invoice-runs", params={"kind": "scheduled"})).json()["items"]
    assert shown["status"] == "claimed"
    assert len(shown["claims"]) == 2
    assert [line["items"] for line in shown["lines"]] == [1, 1]
    assert {chunk.claim.run_id for chunk in await claimed(runtime)} == {first.run_id}
    assert await violations(runtime) == []


async def test_a_scheduled_run_never_runs_ahead(backlog: Api) -> None:
    with pytest.raises(Conflict, match="has not come yet"):
        await scheduled(backlog, date(2026, 3, 3), {LINE: date(2026, 3, 2)})


async def test_bulk_is_a_job_over_the_contracts_of_its_first_step(backlog: Api) -> None:
    runtime = backlog.runtime
    for n in range(1, 121):
        await contract(runtime, UUID(int=1000 + n), {UUID(int=2000 + n): f"C{n}"})
    await ready(runtime, *range(1, 4))
    for n in (1, 60, 120):
        await ready(runtime, 10 + n, project=f"C{n}")
    answer = await backlog.as_("biller").post(
        "/v1/contracts/create-invoice", json={"filter": {"customer_id": str(CUSTOMER)}}
    )
    assert answer.status_code == 202
    runner = JobRunner(runtime.database, runtime.context(), JOBS)
    assert await runner.run_next(asyncio.Event())
    job = (await backlog.as_("biller").get(answer.headers["location"])).json()
    assert (job["status"], job["total"], job["done"]) == ("succeeded", 121, 121)
    assert job["result"] == {"claimed": 4, "skipped": 117, "refused": 0}
    assert len({chunk.claim.contract_id for chunk in await claimed(runtime)}) == 4
    assert await violations(runtime) == []


async def test_bulk_names_what_it_refuses(backlog: Api) -> None:
    async with backlog.runtime.database.transaction() as session:
        await execute(session, "update contracts set status = 'closed'")
    body = {"ids": [str(CONTRACT), str(UUID(int=77))]}
    answer = await backlog.as_("biller").post("/v1/contracts/create-invoice", json=body)
    await JobRunner(backlog.runtime.database, backlog.runtime.context(), JOBS).run_next(asyncio.Event())
    job = (await backlog.as_("biller").get(answer.headers["location"])).json()
    assert job["status"] == "succeeded", job
    problems = (await backlog.as_("biller").get(answer.headers["location"] + "/problems")).json()["items"]
    assert [one["reason"] for one in problems] == ["contract_not_active", "not_found"]
