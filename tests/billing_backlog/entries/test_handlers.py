"""Approvals as they come by Kafka: repeated, forged, out of order, two at once."""

import asyncio
from uuid import UUID

import pytest

from billing_backlog.entries import service
from billing_backlog.worker import HANDLERS
from proforma.db import execute
from proforma.events.billing_backlog import ActualsPosted, PostedActual
from proforma.events.time_expense import EntriesApproved
from tests.billing_backlog.scene import approve, contract, entry, firm, items, rows, violations
from tests.conftest import MakeRuntime
from tests.support.events import DeadLettered, deliver, outbox_of

COUNT = "select count(*) as n from actuals"


async def test_a_repeat_under_a_new_event_id_changes_nothing(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1), entry(2))
    before = await rows(runtime, "select * from actuals order by id")
    await approve(runtime, entry(2), entry(1), entry(1))
    assert await rows(runtime, "select * from actuals order by id") == before


async def test_the_same_revision_with_another_content_is_set_aside(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1))
    with pytest.raises(DeadLettered, match="another content"):
        await approve(runtime, entry(1, quantity="7"))
    assert len(await items(runtime)) == 1
    assert await violations(runtime) == []


async def test_who_approved_is_not_content(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1))
    await approve(runtime, entry(1, approved_by="somebody else", quantity="8.00"))
    assert len(await items(runtime)) == 1


async def test_a_higher_revision_waits_for_the_reversal_of_the_lower_one(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1))
    with pytest.raises(DeadLettered, match="not reversed"):
        await approve(runtime, entry(1, revision=2))
    assert (await rows(runtime, COUNT))[0]["n"] == 2


async def test_a_lower_revision_changes_nothing(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1, revision=3))
    await approve(runtime, entry(1, revision=2, quantity="1"))
    assert (await rows(runtime, COUNT))[0]["n"] == 2


async def test_a_forged_entry_does_not_keep_its_neighbours(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1))
    messages = [EntriesApproved(entries=[entry(n, quantity="5" if n == 1 else "8")]) for n in (2, 1, 3)]
    with pytest.raises(DeadLettered) as dead:
        await deliver(runtime, HANDLERS, *messages)
    assert len(dead.value.reasons) == 1
    assert len(await items(runtime)) == 3


async def test_two_workers_with_the_same_approval_post_it_once(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    context = runtime.context()

    async def one(*ns: int) -> None:
        async with runtime.database.transaction() as session:
            await service.approve(session, context, [entry(n) for n in ns])

    await asyncio.gather(one(1, 2, 3), one(3, 2, 1), one(2))
    assert len(await items(runtime)) == 3
    assert await violations(runtime) == []


async def test_closed_and_draft_contracts_take_no_work(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await contract(runtime, UUID(int=50), {UUID(int=51): "P2"})
    async with runtime.database.transaction() as session:
        await execute(session, "update contracts set status = 'closed' where id = $1", UUID(int=50))
    await approve(runtime, entry(1, project="P2"))
    (item,) = await items(runtime)
    assert (item["billing_status"], item["contract_id"]) == ("cost_only", None)


async def test_every_row_is_told_in_the_typed_form(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    await approve(runtime, entry(1, description='quo"te\nünï'), entry(2, role="poet"), entry(3, project="X"))
    sent = [one for one in await outbox_of(runtime) if one.type == ActualsPosted.TYPE]
    told = {row.id: row for one in sent for row in ActualsPosted.model_validate(one.body).actuals}
    ledger = await rows(runtime, "select * from actuals")
    assert len(ledger) == len(told) == 5
    for row in ledger:
        shown = told[row["id"]].model_dump(by_alias=True)
        assert {name: shown[name] for name in shown} == {name: row[name] for name in shown}
    fields = set(PostedActual.model_json_schema(by_alias=True)["properties"])
    for one in sent:
        for row in one.body["actuals"]:
            assert str(row["contract_id"] or row["project"]) == one.key
            assert set(row) == fields
