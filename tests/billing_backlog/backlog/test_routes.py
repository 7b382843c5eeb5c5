"""The backlog over HTTP: what it shows, why things wait, and the verbs of billers."""

import asyncio
from datetime import date
from typing import Any

import pytest

from billing_backlog.worker import JOBS
from proforma.jobs import JobRunner
from tests.billing_backlog.scene import CONTRACT, LINE, PROJECT, approve, entry, firm, items
from tests.conftest import MakeApi
from tests.support.api import Api


@pytest.fixture
async def backlog(api: MakeApi) -> Api:
    found = await api("billing-backlog")
    await firm(found.runtime)
    return found


async def listed(backlog: Api, **query: Any) -> list[dict[str, Any]]:
    answer = await backlog.as_("biller").get("/v1/backlog", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_each_item_says_why_it_waits(backlog: Api) -> None:
    await approve(
        backlog.runtime,
        entry(1), entry(2, role="poet"), entry(3, project="X"), entry(4, date=date(2099, 1, 1)),
    )  # fmt: skip
    reasons = {(one["project"], one["role"], one["date"]): one["reasons"] for one in await listed(backlog)}
    assert reasons == {
        (PROJECT, "dev", "2026-02-02"): ["not_ready", "schedule_missing"],
        (PROJECT, "poet", "2026-02-02"): ["no_price", "not_ready", "schedule_missing", "no_cost_price"],
        ("X", "dev", "2026-02-02"): ["no_contract_line"],
        (PROJECT, "dev", "2099-01-01"): ["not_ready", "future_dated", "schedule_missing"],
    }


async def test_unpriced_work_has_no_amount_and_never_becomes_ready(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, role="poet"), entry(2, project="X"))
    unpriced, internal = sorted(await listed(backlog), key=lambda one: one["billing_status"], reverse=True)
    assert (unpriced["price"], unpriced["amount"]) == (None, None)
    answer = await backlog.as_("biller").post("/v1/backlog/mark-ready", json={"ids": [unpriced["id"], internal["id"]]})
    body = answer.json()
    assert (body["changed"], body["unchanged"]) == (0, 0)
    assert [one["reason"] for one in body["refused"]] == ["no_price", "no_contract_line"]


async def test_marking_and_unmarking(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1), entry(2))
    one, two = [item["id"] for item in await listed(backlog)]
    biller = backlog.as_("biller")
    assert (await biller.post("/v1/backlog/mark-ready", json={"ids": [one]})).json() == {
        "changed": 1,
        "unchanged": 0,
        "refused": [],
    }
    both = (await biller.post("/v1/backlog/mark-ready", json={"filter": {"contract_id": str(CONTRACT)}})).json()
    assert both == {"changed": 1, "unchanged": 1, "refused": []}
    assert {item["billing_status"] for item in await listed(backlog)} == {"ready"}
    back = (await biller.post("/v1/backlog/unmark-ready", json={"ids": [two, two]})).json()
    assert back == {"changed": 1, "unchanged": 0, "refused": []}
    assert [item["id"] for item in await listed(backlog, billing_status="ready")] == [one]


async def test_filters_and_pages(backlog: Api) -> None:
    await approve(backlog.runtime, *(entry(n, date=date(2026, 2, n)) for n in range(1, 8)), entry(9, project="X"))
    assert len(await listed(backlog, contract_line_id=str(LINE))) == 7
    assert len(await listed(backlog, date_from="2026-02-03", date_to="2026-02-04")) == 2
    assert len(await listed(backlog, project="X", reason="no_contract_line")) == 1
    assert len(await listed(backlog, **{"class": "time"})) == 8
    seen, after = [], None
    while True:
        query = {"limit": 3} | ({"after": after} if after else {})
        page = (await backlog.as_("manager").get("/v1/backlog", params=query)).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(set(seen))
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"reason": "not_ready"}, "/query"),
        ({"limit": 0}, "/query/limit"),
        ({"limit": 1001}, "/query/limit"),
        ({"after": "nonsense"}, "/query/after"),
        ({"statuss": "ready"}, "/query/statuss"),
        ({"billing_status": "open"}, "/query/billing_status"),
        ({"contract_id": "7"}, "/query/contract_id"),
        ({"date_from": "2026-02-30"}, "/query/date_from"),
    ],
)
async def test_bad_queries_name_the_parameter(backlog: Api, query: dict[str, Any], pointer: str) -> None:
    answer = await backlog.as_("biller").get("/v1/backlog", params=query)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:proforma:problem:validation"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": []}, {"ids": ["x"]}, {"ids": None, "filter": None}, {"ids": ["x"] * 1001}, {"filter": {"x": 1}}, []],
)
async def test_bad_bulk_bodies(backlog: Api, body: object) -> None:
    answer = await backlog.as_("biller").post("/v1/backlog/mark-ready", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_roles(backlog: Api) -> None:
    for role in ("submitter", "approver", "service"):
        answer = await backlog.as_(role).post("/v1/backlog/mark-ready", json={"filter": {}})
        assert answer.status_code == 403, role
    assert (await backlog.as_("submitter").get("/v1/backlog")).status_code == 403
    assert (await backlog.as_("service").get("/v1/backlog")).status_code == 200
    assert (await backlog.with_token(None).get("/v1/backlog")).status_code == 401


async def test_marking_twice_at_once_has_one_effect(backlog: Api) -> None:
    await approve(backlog.runtime, *(entry(n) for n in range(1, 21)))
    body = {"ids": [str(item["id"]) for item in await items(backlog.runtime)]}
    client = backlog.as_("biller")
    without = await asyncio.gather(*(client.post("/v1/backlog/mark-ready", json=body) for _ in range(3)))
    assert sorted(answer.json()["changed"] for answer in without) == [0, 0, 20]
    assert {answer.json()["changed"] + answer.json()["unchanged"] for answer in without} == {20}
    await client.post("/v1/backlog/unmark-ready", json=body)
    key = {"Idempotency-Key": "once"}
    same = await asyncio.gather(*(client.post("/v1/backlog/mark-ready", json=body, headers=key) for _ in range(3)))
    assert {answer.text for answer in same} == {'{"changed":20,"unchanged":0,"refused":[]}'}
    assert sorted("idempotency-replayed" in answer.headers for answer in same) == [False, True, True]


async def test_more_than_a_thousand_are_a_job(backlog: Api) -> None:
    await approve(backlog.runtime, *(entry(n) for n in range(1, 501)))
    await approve(backlog.runtime, *(entry(n) for n in range(501, 1001)))
    await approve(backlog.runtime, entry(1001), entry(1002, role="poet"))
    answer = await backlog.as_("biller").post("/v1/backlog/mark-ready", json={"filter": {"contract_id": str(CONTRACT)}})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    await approve(backlog.runtime, entry(1003))
    runner = JobRunner(backlog.runtime.database, backlog.runtime.context(), JOBS)
    stop = asyncio.Event()
    assert await runner.run_next(stop)
    job = (await backlog.as_("biller").get(answer.headers["location"])).json()
    assert (job["status"], job["total"], job["done"], job["refused"]) == ("succeeded", 1003, 1003, 1)
    assert job["result"] == {"changed": 1002, "unchanged": 0}
    problems = (await backlog.as_("biller").get(answer.headers["location"] + "/problems")).json()["items"]
    assert [one["reason"] for one in problems] == ["no_price"]
