"""re-evaluate over HTTP: one, many, preview."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.billing_backlog.reevaluation.steps import CALL, dearer, job, preview
from tests.billing_backlog.scene import CONTRACT, CUSTOMER, LINE, approve, contract, entry, firm, ready, run
from tests.support.api import Api
from tests.support.rows import change, rows, value

MANY = "/v1/contracts/re-evaluate"


@pytest.fixture
async def backlog(client: Api) -> Api:
    await firm(client.runtime)
    return client


async def test_a_preview_says_what_would_change_and_keeps_nothing(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    await run(backlog.runtime)
    await approve(backlog.runtime, entry(2), entry(3, role="poet"))
    await dearer(backlog.runtime)
    before = await rows(backlog.runtime, "select * from actuals order by id")
    found = await preview(backlog)
    assert {name: found[name] for name in ("entries", "examined", "changed", "unchanged", "refused", "kinds")} == {
        "entries": 3, "examined": 3, "changed": 1, "unchanged": 1, "refused": 1, "kinds": {"price": 1},
    }  # fmt: skip
    one, two = found["examples"]
    assert (one["entry_id"], one["kind"], one["refused"]) == (str(entry(2).id), "price", None)
    assert [(row["quantity"], row["amount"]) for row in one["before"] + one["after"]] == [
        ("8", "1600.00"), ("8", "1760.00"),
    ]  # fmt: skip
    assert {row["contract_line_id"] for row in one["before"] + one["after"]} == {str(LINE)}
    assert (two["entry_id"], two["refused"]) == (str(entry(1).id), "on_invoice")
    assert await rows(backlog.runtime, "select * from actuals order by id") == before
    assert await value(backlog.runtime, "select count(*) from jobs") == 0


async def test_a_preview_of_much_has_a_hundred_examples(backlog: Api) -> None:
    for start in (1, 501):
        await approve(backlog.runtime, *(entry(n) for n in range(start, start + 500)))
    await approve(backlog.runtime, entry(1001))
    await dearer(backlog.runtime)
    found = await preview(backlog)
    assert (found["changed"], len(found["examples"])) == (1001, 100)
    assert len({one["entry_id"] for one in found["examples"]}) == 100


@pytest.mark.parametrize(
    "body", [{"filter": {}}, {"filter": {"customer_id": str(CUSTOMER)}}, {"ids": [str(CONTRACT), str(UUID(int=50))]}]
)
async def test_many_at_once(backlog: Api, body: dict[str, Any]) -> None:
    await contract(backlog.runtime, UUID(int=50), {UUID(int=51): "P2"})
    await contract(backlog.runtime, UUID(int=60), {UUID(int=61): "P3"})
    await change(backlog.runtime, "update contracts set status = 'draft' where id = $1", UUID(int=60))
    await approve(backlog.runtime, entry(1), entry(2, project="P2"), entry(3, project="P3"))
    await dearer(backlog.runtime)
    assert (await preview(backlog, MANY, body))["changed"] == 2
    made = await job(backlog, MANY, body)
    assert (made["total"], made["done"], made["result"]["changed"]) == (2, 2, 2)


async def test_contracts_that_are_not_active_are_problems_of_the_job(backlog: Api) -> None:
    await change(backlog.runtime, "update contracts set status = 'draft'")
    unknown = str(uuid4())
    made = await job(backlog, MANY, {"ids": [str(CONTRACT), unknown]})
    problems = (await backlog.as_("biller").get(f"/v1/jobs/{made['id']}/problems")).json()["items"]
    assert [(one["reason"], one["target_id"]) for one in problems] == [
        ("contract_not_active", str(CONTRACT)), ("not_found", unknown),
    ]  # fmt: skip
    assert made["result"]["refused"] == 2
    for query in ("", "?preview=true"):
        alone = await backlog.as_("biller").post(CALL + query)
        assert (alone.status_code, alone.json()["reason"]) == (409, "contract_not_active")


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["x"]}, {"filter": {"status": "active"}}, {"ids": None}])
async def test_bad_bodies(backlog: Api, body: dict[str, Any]) -> None:
    assert (await backlog.as_("biller").post(MANY, json=body)).status_code == 422


async def test_unknown_contracts_and_roles(backlog: Api) -> None:
    assert (await backlog.as_("biller").post(f"/v1/contracts/{uuid4()}/re-evaluate")).status_code == 404
    for role in ("submitter", "approver", "service"):
        assert (await backlog.as_(role).post(CALL)).status_code == 403


async def test_under_one_key_there_is_one_job(backlog: Api) -> None:
    key = {"Idempotency-Key": "again"}
    answers = await asyncio.gather(*(backlog.as_("biller").post(CALL, headers=key) for _ in range(3)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await value(backlog.runtime, "select count(*) from jobs") == 1
