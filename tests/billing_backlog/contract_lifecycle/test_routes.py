"""Activating and closing over HTTP."""

import asyncio
from uuid import uuid4

import pytest

from billing_backlog.contract_lifecycle import service
from billing_backlog.contract_lines import service as lines
from billing_backlog.contract_lines.queries import active_lines
from billing_backlog.contracts.queries import get_contract
from proforma.db import lock_keys
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters, Meeting, statuses
from tests.support.api import Api
from tests.support.events import outbox_of

URL = "/v1/contracts"


async def test_a_contract_is_activated_and_closed_and_nothing_else(desk: Masters) -> None:
    contract = await desk.contract()
    await desk.line(contract)
    assert (await desk.verb(contract["id"], "close")).status_code == 409
    activated = await desk.verb(contract["id"], "activate", '"1"')
    assert activated.json() == {**contract, "status": "active", "version": 2}
    assert activated.headers["etag"] == '"2"'
    again = await desk.verb(contract["id"], "activate")
    assert (again.json()["state"], again.json()["allowed"]) == ("active", ["draft"])
    closed = await desk.verb(contract["id"], "close", '"2"')
    assert closed.json() == {**contract, "status": "closed", "version": 3}
    for verb in ("activate", "close"):
        assert (await desk.verb(contract["id"], verb)).status_code == 409
    assert (await desk.biller.get(f"{URL}/{contract['id']}")).json() == closed.json()


async def test_a_contract_without_a_line_stays_a_draft(desk: Masters) -> None:
    contract = await desk.contract()
    assert (await desk.verb(contract["id"], "activate")).status_code == 409
    assert (await desk.biller.get(f"{URL}/{contract['id']}")).json() == contract


@pytest.mark.parametrize("verb", ["activate", "close"])
async def test_it_needs_the_version_and_a_manager(client: Api, desk: Masters, verb: str) -> None:
    contract = await desk.contract()
    await desk.line(contract)
    path = f"{URL}/{contract['id']}/{verb}"
    assert (await desk.manager.post(path)).status_code == 428
    assert (await desk.verb(contract["id"], verb, '"7"')).status_code == 412
    assert (await desk.verb(str(uuid4()), verb)).status_code == 404
    for role in ("biller", "approver", "service", "submitter"):
        assert (await client.as_(role).post(path, headers={"If-Match": "*"})).status_code == 403
    assert (await desk.biller.get(f"{URL}/{contract['id']}")).json() == contract


async def test_work_of_an_active_contract_is_refused_and_the_other_line_named(desk: Masters) -> None:
    active, held = await desk.active(valid_to="2026-06-30")
    contract = await desk.contract()
    line = await desk.line(contract, valid_from="2026-06-30")
    refused = await desk.verb(contract["id"], "activate")
    assert refused.status_code == 409
    told = refused.json()
    assert (told["contract_line_id"], told["other_contract_line_id"]) == (line["id"], held["id"])
    assert told["other_contract_id"] == active["id"]
    assert held["id"] in told["detail"]
    assert active["id"] in told["detail"]
    assert (await desk.biller.get(f"{URL}/{contract['id']}")).json() == contract

    assert (await desk.patch(f"/v1/contract-lines/{line['id']}", {"valid_from": "2026-07-01"})).status_code == 200
    assert (await desk.verb(contract["id"], "activate")).status_code == 200


async def test_two_lines_of_the_contract_itself_are_held_to_it_too(desk: Masters) -> None:
    contract = await desk.contract()
    await desk.line(contract)
    await desk.line(contract, tasks=["A"])
    assert (await desk.verb(contract["id"], "activate")).status_code == 409


async def test_a_closed_contract_makes_room(desk: Masters) -> None:
    first, _ = await desk.active()
    second = await desk.contract()
    await desk.line(second)
    assert (await desk.verb(second["id"], "activate")).status_code == 409
    assert (await desk.verb(first["id"], "close")).status_code == 200
    assert (await desk.verb(second["id"], "activate")).status_code == 200


async def test_schedules_are_told_when_it_is_active_and_ended_when_it_is_closed(
    runtime: Runtime, desk: Masters
) -> None:
    contract = await desk.contract()
    line = await desk.line(contract)
    body = {"contract_line_id": line["id"], "rows": [{"run_date": "2026-04-01"}]}
    assert (await desk.biller.post("/v1/invoice-schedules", json=body)).status_code == 201
    assert await outbox_of(runtime) == []
    assert (await desk.verb(contract["id"], "activate")).status_code == 200
    zone = await desk.patch(f"{URL}/{contract['id']}", {"time_zone": "Asia/Tokyo"})
    assert zone.status_code == 200
    assert (await desk.verb(contract["id"], "close")).status_code == 200
    told = await outbox_of(runtime)
    assert [event.type.split(".")[-2] for event in told] == ["changed", "changed", "ended"]
    assert [event.body.get("time_zone") for event in told] == ["UTC", "Asia/Tokyo", None]
    versions = [event.body["schedule_version"] for event in told]
    assert versions == sorted(set(versions))
    assert {event.key for event in told} == {contract["id"]}


async def test_of_two_activations_at_once_with_the_same_work_one_succeeds(
    desk: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    contracts = [await desk.contract() for _ in range(2)]
    for contract in contracts:
        await desk.line(contract)
    monkeypatch.setattr(lines, "active_lines", Meeting().after(active_lines))
    both = await asyncio.gather(*(desk.verb(contract["id"], "activate") for contract in contracts))
    assert statuses(*both) == [200, 409]
    active = (await desk.biller.get(URL, params={"status": "active"})).json()["items"]
    assert len(active) == 1


async def test_an_activation_and_a_new_line_at_once_do_not_take_the_same_work(
    desk: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    active, _ = await desk.active(project="Q")
    draft = await desk.contract()
    await desk.line(draft)
    monkeypatch.setattr(lines, "active_lines", Meeting().after(active_lines))
    new = {"contract_id": active["id"], "name": "x", "kind": "project", "billing_method": "time_and_material"}
    line = desk.biller.post("/v1/contract-lines", json={**new, "project": "PORTAL", "includes": ["time"]})
    answers = await asyncio.gather(desk.verb(draft["id"], "activate"), line)
    assert sorted(answer.is_success for answer in answers) == [False, True]
    assert 409 in statuses(*answers)


async def test_the_same_activation_twice_at_once_has_one_effect(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = await desk.contract()
    await desk.line(contract)
    monkeypatch.setattr(service, "get_contract", Meeting().after(get_contract))
    both = await asyncio.gather(*(desk.verb(contract["id"], "activate") for _ in range(2)))
    assert statuses(*both) == [200, 409]
    assert (await desk.biller.get(f"{URL}/{contract['id']}")).json()["version"] == 2


@pytest.mark.parametrize("verb", ["activate", "close"])
async def test_it_waits_for_approvals_of_its_projects(runtime: Runtime, desk: Masters, verb: str) -> None:
    contract = await desk.contract()
    await desk.line(contract)
    if verb == "close":
        assert (await desk.verb(contract["id"], "activate")).status_code == 200
    async with runtime.database.transaction() as approval:
        await lock_keys(approval, "project", ["PORTAL"], shared=True)
        assert (await desk.verb(contract["id"], verb)).status_code == 503
    assert (await desk.verb(contract["id"], verb)).status_code == 200
