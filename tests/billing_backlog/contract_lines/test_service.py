"""Line changes at once with approvals and with one another: the locks of design §5.5 and §5.6."""

import asyncio
from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contract_lines import service
from billing_backlog.contract_lines.queries import active_lines
from billing_backlog.contracts import queries
from billing_backlog.contracts.queries import lock_contracts, lock_terms
from proforma.db import execute, fetch_value, lock_keys
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters, Meeting, line_body, statuses
from tests.support.rows import locks_awaited

URL = "/v1/contract-lines"


async def test_two_lines_at_once_do_not_take_the_same_work(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    (one, _), (other, _) = await desk.active(project="P"), await desk.active(project="Q")
    monkeypatch.setattr(service, "active_lines", Meeting().after(active_lines))
    both = await asyncio.gather(*(desk.biller.post(URL, json=line_body(contract["id"])) for contract in (one, other)))
    assert statuses(*both) == [201, 409]


async def test_two_edits_at_once_do_not_take_the_same_work(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    _, one = await desk.active(tasks=["A"])
    _, other = await desk.active(tasks=["B"])
    monkeypatch.setattr(service, "active_lines", Meeting().after(active_lines))
    both = await asyncio.gather(*(desk.patch(f"{URL}/{line['id']}", {"tasks": ["C"]}) for line in (one, other)))
    assert statuses(*both) == [200, 409]


async def test_of_two_edits_with_one_version_one_wins(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await desk.line(await desk.contract())
    # Both have read the line before either locks it: what they do must stand on what they read after the lock.
    monkeypatch.setattr(service, "lock_terms", before(Meeting(), lock_terms))
    both = await asyncio.gather(*(desk.patch(f"{URL}/{made['id']}", {"name": n}, '"1"') for n in ("a", "b")))
    assert statuses(*both) == [200, 412]


def before(meeting: Meeting, step: Any) -> Any:
    async def arrive() -> None:
        return None

    async def met(*args: Any, **named: Any) -> Any:
        await meeting.after(arrive)()
        return await step(*args, **named)

    return met


@pytest.mark.parametrize("project", ["PORTAL", "Q"])
async def test_a_line_change_waits_for_approvals_of_its_old_and_new_project(
    runtime: Runtime, desk: Masters, project: str
) -> None:
    _, made = await desk.active()
    async with runtime.database.transaction() as approval:
        await lock_keys(approval, "project", [project], shared=True)
        held = await desk.patch(f"{URL}/{made['id']}", {"project": "Q"})
        assert held.status_code == 503
    assert (await desk.biller.get(f"{URL}/{made['id']}")).json() == made
    assert (await desk.patch(f"{URL}/{made['id']}", {"project": "Q"})).status_code == 200


async def test_a_new_line_waits_for_approvals_of_its_project(runtime: Runtime, desk: Masters) -> None:
    contract, _ = await desk.active()
    body = {**line_body(contract["id"]), "project": "Q"}
    async with runtime.database.transaction() as approval:
        await lock_keys(approval, "project", ["Q"], shared=True)
        assert (await desk.biller.post(URL, json=body)).status_code == 503
    assert (await desk.biller.post(URL, json=body)).status_code == 201


async def test_an_edit_of_the_contracts_terms_waits_for_approvals(runtime: Runtime, desk: Masters) -> None:
    contract, _ = await desk.active()
    path = f"/v1/contracts/{contract['id']}"
    async with runtime.database.transaction() as approval:
        await lock_keys(approval, "project", ["PORTAL"], shared=True)
        assert (await desk.patch(path, {"end_date": "2026-12-31"})).status_code == 503
    assert (await desk.patch(path, {"end_date": "2026-12-31"})).status_code == 200


async def test_whoever_waits_for_a_project_holds_no_contract(runtime: Runtime, desk: Masters) -> None:
    contract, made = await desk.active()
    async with runtime.database.transaction() as approval:
        await lock_keys(approval, "project", ["PORTAL"], shared=True)
        waiting = asyncio.create_task(desk.patch(f"{URL}/{made['id']}", {"name": "x"}))
        await locks_awaited(runtime)
        await execute(approval, "select id from contracts where id = $1 for update nowait", UUID(contract["id"]))
        assert (await waiting).status_code == 503


async def test_a_project_added_before_the_lock_is_locked_too_and_in_order(
    runtime: Runtime, desk: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract, made = await desk.active()
    contract_id, taken = UUID(contract["id"]), list[set[str]]()

    async def add_a_line_then_lock(session: AsyncSession, kind: str, keys: Collection[str]) -> None:
        taken.append(set(keys))
        if len(taken) == 1:
            async with runtime.database.transaction() as other:
                await execute(other, "update contract_lines set project = 'Q' where id = $1", UUID(made["id"]))
        await lock_keys(session, kind, keys)

    monkeypatch.setattr(queries, "lock_keys", add_a_line_then_lock)
    async with runtime.database.transaction() as session:
        assert list(await lock_terms(session, [contract_id], ["R"])) == [contract_id]
        assert taken == [{"PORTAL", "R"}, {"Q", "R"}]
        held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        assert await fetch_value(session, held) == 2


async def test_contracts_are_locked_in_the_order_of_their_ids(runtime: Runtime, desk: Masters) -> None:
    ids = [UUID((await desk.contract())["id"]) for _ in range(3)]
    async with runtime.database.transaction() as session:
        rows = await lock_contracts(session, [*reversed(ids), UUID(int=1), ids[0]])
    assert [row["id"] for row in rows] == sorted(ids)


async def test_active_lines_are_those_of_active_contracts_with_their_terms(runtime: Runtime, desk: Masters) -> None:
    sales, cost = await desk.price_list(), await desk.price_list(kind="cost")
    terms = {"sales_price_list_ids": [sales["id"]], "cost_price_list_id": cost["id"]}
    contract = await desk.contract(**terms)
    line = await desk.line(contract, tasks=["A"], valid_from="2026-01-01")
    await desk.line(contract, project="Q")
    assert (await desk.verb(contract["id"], "activate")).status_code == 200
    await desk.line(await desk.contract())
    async with runtime.database.transaction() as session:
        (row,) = await active_lines(session, ["PORTAL", "R"])
    shown = {name: str(row[name]) for name in ("id", "contract_id", "valid_from", "currency", "cost_price_list_id")}
    assert shown == {
        "id": line["id"],
        "contract_id": contract["id"],
        "valid_from": "2026-01-01",
        "currency": "EUR",
        "cost_price_list_id": cost["id"],
    }
    assert (row["tasks"], row["includes"], row["sales_price_list_ids"]) == (["A"], ["time"], [UUID(sales["id"])])
