"""Bulk calls by filter: at once up to 1,000 things, as a job above; what they refuse is named thing by thing."""

import asyncio
from typing import Any

import pytest

from invoicing.worker import JOBS
from proforma.jobs import JobRunner
from tests.invoicing.claimed import Claiming, Desk, item
from tests.invoicing.conftest import MakeDesk


async def mixed(desk: Desk) -> dict[str, Any]:
    """A draft: two entries of ann on the first line, one of bob's on the second, a milestone there."""
    claim = Claiming(lines=[Claiming().id, Claiming().id])
    one, two = claim.lines
    milestone = item(two, "1", "500", item_class="milestone", source="milestone", entry_id=None, resource=None)
    await desk.deliver(*claim.with_items(item(one), item(one), item(two, resource="bob"), milestone).chunks())
    return await desk.show(claim.id)


async def work(desk: Desk, job: dict[str, Any]) -> dict[str, Any]:
    """The job when it is over."""
    await JobRunner(desk.runtime.database, desk.runtime.context(), JOBS).run_next(asyncio.Event())
    return dict((await desk.biller.get(f"/v1/jobs/{job['id']}")).json())


async def test_the_list_of_details_has_filters(desk: Desk) -> None:
    draft = await mixed(desk)
    path, details = f"/v1/invoices/{draft['id']}/details", await desk.details(draft["id"])
    first, second, third, _ = details
    for query, wanted in (
        ({}, [0, 1, 2, 3]),
        ({"contract_line_id": first["contract_line_id"]}, [0, 1]),
        ({"class": "milestone"}, [3]),
        ({"source": "milestone"}, [3]),
        ({"resource": "bob"}, [2]),
        ({"entry_id": second["entry_id"]}, [1]),
        ({"item_id": third["item_id"]}, [2]),
        ({"claim_id": draft["id"]}, [0, 1, 2, 3]),
        ({"project": "P2"}, []),
        ({"task": "T1", "role": "developer", "billing_type": "chargeable"}, [0, 1, 2, 3]),
        ({"category": "x"}, []),
        ({"product": "x"}, []),
        ({"date_from": "2026-02-28"}, []),
        ({"date_to": "2026-02-27"}, [0, 1, 2, 3]),
    ):
        found = (await desk.biller.get(path, params=query)).json()["items"]
        assert [one["id"] for one in found] == [details[n]["id"] for n in wanted], query
    assert (await desk.biller.get(path, params={"class": "tax"})).status_code == 422


async def test_what_a_filter_finds_is_edited_and_removed_at_once(desk: Desk) -> None:
    draft = await mixed(desk)
    path = f"/v1/invoices/{draft['id']}/details"
    body = {"filter": {"resource": "ann"}, "quantity": "6", "reason": "agreed"}
    stale = await desk.biller.post(f"{path}/update", json=body, headers={"If-Match": '"99"'})
    assert stale.status_code == 412
    answer = await desk.biller.post(f"{path}/update", json=body, headers={"If-Match": f'"{draft["version"]}"'})
    assert answer.json() == {"changed": 2, "unchanged": 0, "refused": []}
    assert (await desk.show(draft["id"]))["total"] == "4500.00"
    everything = await desk.biller.post(f"{path}/update", json={"filter": {}, "quantity": "6"})
    told = everything.json()
    assert (told["changed"], told["unchanged"], [one["reason"] for one in told["refused"]]) == (1, 2, ["wrong_state"])
    gone = await desk.biller.post(f"{path}/remove", json={"filter": {"class": "time"}})
    assert gone.json() == {"changed": 3, "unchanged": 0, "refused": []}
    assert (await desk.show(draft["id"]))["total"] == "500.00"
    (released,) = await desk.said("details.released")
    assert len(released["details"]) == 3
    for wrong in ({}, {"ids": [draft["id"]], "filter": {}}):
        assert (await desk.biller.post(f"{path}/remove", json=wrong)).status_code == 422


@pytest.fixture
async def narrow(make_desk: MakeDesk) -> Desk:
    """A desk at which two things are already many."""
    return await make_desk(limits={"batch_max": 2, "job_step_max": 2})


async def test_more_than_a_thousand_are_a_job_whose_details_are_fixed_first(narrow: Desk) -> None:
    desk = narrow
    draft = await desk.draft(5)
    path = f"/v1/invoices/{draft['id']}/details"
    answer = await desk.biller.post(f"{path}/update", json={"filter": {}, "price": "100.5", "reason": "rebate"})
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{answer.json()['id']}")
    job = await work(desk, answer.json())
    assert (job["kind"], job["status"], job["total"], job["done"]) == ("details.update", "succeeded", 5, 5)
    assert job["result"] == {"changed": 5, "unchanged": 0}
    after = await desk.show(draft["id"])
    assert (after["total"], after["version"]) == ("4020.00", draft["version"] + 3)
    edits = [one for one in await desk.history(draft["id"]) if one["action"] == "details_edited"]
    assert [(one["by"], one["reason"], len(one["after"]["details"])) for one in edits] == [
        ("biller", "rebate", n) for n in (2, 2, 1)
    ]  # fmt: skip
    removal = (await desk.biller.post(f"{path}/remove", json={"filter": {"class": "time"}})).json()
    assert (await work(desk, removal))["result"] == {"changed": 5, "unchanged": 0}
    assert (await desk.show(draft["id"]))["details"] == 0


async def test_a_job_that_meets_a_confirmed_invoice_refuses_what_is_left(narrow: Desk) -> None:
    desk = narrow
    draft = await desk.draft(3)
    path = f"/v1/invoices/{draft['id']}/details"
    started = (await desk.biller.post(f"{path}/update", json={"filter": {}, "tax": "1.00"})).json()
    assert (await desk.confirm(draft)).status_code == 200
    before = await desk.details(draft["id"])
    job = await work(desk, started)
    assert (job["status"], job["done"], job["refused"]) == ("succeeded", 3, 3)
    problems = (await desk.biller.get(f"/v1/jobs/{job['id']}/problems")).json()["items"]
    assert {(one["target_id"], one["reason"]) for one in problems} == {(one["id"], "wrong_state") for one in before}
    assert await desk.details(draft["id"]) == before


async def test_confirmed_invoices_under_a_filter_are_marked_paid(narrow: Desk) -> None:
    desk = narrow
    first, *others = [await desk.confirmed(1) for _ in range(4)]
    await desk.draft(1)
    mine = await desk.manager.post("/v1/invoices/mark-paid", json={"filter": {"contract_id": first["contract_id"]}})
    assert mine.json() == {"changed": 1, "unchanged": 0, "refused": []}
    for wanted, found in (({"kind": "corrective"}, 0), ({"invoice_date_to": "2026-03-01"}, 0), ({"number": "x"}, 0)):
        answer = await desk.manager.post("/v1/invoices/mark-paid", json={"filter": wanted})
        assert answer.json()["changed"] == found
    started = await desk.manager.post("/v1/invoices/mark-paid", json={"filter": {"invoice_date_from": "2026-03-02"}})
    assert started.status_code == 202
    assert (await work(desk, started.json()))["result"] == {"changed": 3, "unchanged": 0}
    assert {(await desk.show(one["id"]))["status"] for one in (first, *others)} == {"paid"}
    assert (await desk.manager.post("/v1/invoices/mark-paid", json={})).status_code == 422
