"""Triggers as they come: repeated, late, early, shuffled, from anybody."""

import asyncio
import random
from datetime import date, datetime
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from billing_backlog.runs.service import scheduled_run_id
from billing_backlog.triggers import service
from billing_backlog.triggers.rules import Due
from billing_backlog.worker import HANDLERS
from proforma.clock import SetClock
from proforma.db import execute
from proforma.events.invoicing import ClaimCount, InvoiceDrafted
from proforma.runtime import Runtime
from tests.billing_backlog.masters import pointers
from tests.billing_backlog.scene import CONTRACT, LINE, claimed, contract, firm, items, ready, rows, violations
from tests.billing_backlog.triggers.calendars import TODAY, ago, come, due, schedule, statuses, waiting
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import deliver, record_of
from tests.support.rows import locks_awaited

OTHER_LINE, OTHER_CONTRACT, THIRD_LINE = (UUID(int=n) for n in (13, 12, 14))


@pytest.fixture(autouse=True)
async def _firm(runtime: Runtime) -> None:
    await firm(runtime)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("proforma_triggers_total", {"outcome": outcome}) or 0.0


async def test_a_due_row_takes_ready_work_up_to_its_own_cut_off(runtime: Runtime) -> None:
    await ready(runtime, 1, date=date(2026, 2, 20))
    await ready(runtime, 2, date=date(2026, 2, 21))
    await schedule(runtime, TODAY, cut_off=date(2026, 2, 20))
    await come(runtime, due())
    assert await statuses(runtime) == {TODAY: "successful"}
    assert [(item["date"], item["billing_status"]) for item in await items(runtime)] == [
        (date(2026, 2, 20), "on_invoice"),
        (date(2026, 2, 21), "ready"),
    ]
    (chunk,) = await claimed(runtime)
    assert (chunk.claim.run_id, chunk.claim.run_kind) == (scheduled_run_id(CONTRACT, TODAY), "scheduled")
    (row,) = await rows(runtime, "select * from schedule_rows")
    assert (row["run_id"], row["claim_id"]) == (chunk.claim.run_id, chunk.claim.id)
    assert await violations(runtime) == []


async def test_nothing_to_bill_is_skipped_and_the_run_says_so(runtime: Runtime) -> None:
    await schedule(runtime, TODAY)
    await come(runtime, due())
    assert await statuses(runtime) == {TODAY: "skipped"}
    assert await claimed(runtime) == []
    (run,) = await rows(runtime, "select * from runs")
    assert (run["kind"], run["status"]) == ("scheduled", "skipped")


async def test_the_row_shows_its_run_and_its_invoice(runtime: Runtime, client: Api) -> None:
    await ready(runtime, 1)
    await schedule(runtime, TODAY, ago(-7))
    await come(runtime, due())
    (chunk,) = await claimed(runtime)
    invoice_id = uuid4()
    path = "/v1/invoice-schedules"
    (listed,) = (await client.as_("biller").get(path)).json()["items"]
    assert (listed["version"], listed["schedule_version"], listed["next_run_date"]) == (2, 1, "2026-03-09")
    shown = (await client.as_("biller").get(f"{path}/{listed['id']}")).json()
    assert (shown["rows"][0]["run_id"], shown["rows"][0]["invoices"]) == (str(chunk.claim.run_id), [])
    await deliver(runtime, HANDLERS, drafted(invoice_id, chunk.claim.id, chunk.claim.run_id))
    shown = (await client.as_("biller").get(f"{path}/{listed['id']}")).json()
    assert [row["invoices"] for row in shown["rows"]] == [[str(invoice_id)], []]


def drafted(invoice_id: UUID, claim_id: UUID, run_id: UUID) -> InvoiceDrafted:
    return InvoiceDrafted.model_validate(
        {
            "invoice_id": invoice_id, "contract_id": CONTRACT, "run_id": run_id, "currency": "EUR",
            "invoice_date": TODAY, "totals": {"count": 1, "quantity": "8", "amount": "1600", "tax": "0"},
            "claims": [ClaimCount(claim_id=claim_id, items=1)],
        }
    )  # fmt: skip


async def test_an_edit_that_did_not_see_the_run_is_stale(runtime: Runtime, client: Api) -> None:
    await schedule(runtime, TODAY)
    (listed,) = (await client.as_("biller").get("/v1/invoice-schedules")).json()["items"]
    await come(runtime, due())
    answer = await client.as_("biller").patch(
        f"/v1/invoice-schedules/{listed['id']}", json={"rows": []}, headers={"If-Match": f'"{listed["version"]}"'}
    )
    assert answer.status_code == 412


async def test_an_edit_waits_for_a_run_under_way_and_sees_what_ran(api: MakeApi) -> None:
    """Decided on what stood there before, the edit would put another row in the place of the one that is running."""
    client = await api("billing-backlog")
    runtime = client.runtime
    await firm(runtime)
    await schedule(runtime, TODAY)
    (listed,) = (await client.as_("biller").get("/v1/invoice-schedules")).json()["items"]
    body = {"rows": [{"run_date": str(TODAY), "cut_off": str(TODAY)}]}
    path = f"/v1/invoice-schedules/{listed['id']}"

    async with runtime.database.transaction() as session:
        await service.run_due(session, runtime.context(), [Due(CONTRACT, LINE, TODAY)])
        edit = asyncio.create_task(client.as_("biller").patch(path, json=body, headers={"If-Match": "*"}))
        await locks_awaited(runtime)
    answer = await edit
    assert pointers(answer) == ["/rows/0/cut_off"]
    assert await statuses(runtime) == {TODAY: "skipped"}


async def test_a_trigger_twice_and_another_for_the_same_row_do_nothing_more(runtime: Runtime) -> None:
    await ready(runtime, 1)
    await schedule(runtime, TODAY)
    first, before = record_of(due()), counted("has_run")
    await deliver(runtime, HANDLERS, first, first, due())
    await ready(runtime, 2)
    await come(runtime, due())
    assert len(await claimed(runtime)) == 1
    assert [item["billing_status"] for item in await items(runtime)].count("ready") == 1
    assert counted("has_run") - before == 1


async def test_what_has_no_current_row_is_acknowledged_and_counted(runtime: Runtime) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, TODAY)
    before = counted("no_row")
    moved, unknown = due(ago(1)), due(line=uuid4())
    foreign, nowhere = due(contract=OTHER_CONTRACT), due(contract=uuid4())
    await come(runtime, moved, unknown, foreign, nowhere)
    assert await statuses(runtime) == {TODAY: "not_run"}
    assert await rows(runtime, "select * from runs") == []
    assert counted("no_row") - before == 4


@pytest.mark.parametrize("status", ["draft", "closed"])
async def test_only_active_contracts_run(runtime: Runtime, status: str) -> None:
    await ready(runtime, 1)
    await schedule(runtime, TODAY)
    async with runtime.database.transaction() as session:
        await execute(session, "update contracts set status = $1", status)
    await come(runtime, due())
    assert await statuses(runtime) == {TODAY: "not_run"}
    assert await claimed(runtime) == []


async def test_late_rows_run_oldest_first_each_under_its_own_run(runtime: Runtime) -> None:
    await ready(runtime, 1, date=date(2026, 1, 20))
    await ready(runtime, 2, date=date(2026, 2, 20))
    await schedule(runtime, date(2026, 2, 1), date(2026, 3, 1))
    await come(runtime, due(date(2026, 3, 1)), due(date(2026, 2, 1)))
    assert set((await statuses(runtime)).values()) == {"successful"}
    assert [(chunk.claim.run_date, chunk.claim.items) for chunk in await claimed(runtime)] == [
        (date(2026, 2, 1), 1),
        (date(2026, 3, 1), 1),
    ]


@pytest.mark.parametrize("together", [True, False])
async def test_lines_of_a_contract_with_the_same_date_share_one_run(runtime: Runtime, together: bool) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2", THIRD_LINE: "P3"})
    await ready(runtime, 1, project="P2")
    await ready(runtime, 2, project="P3")
    for line in (OTHER_LINE, THIRD_LINE):
        await schedule(runtime, TODAY, line=line, contract=OTHER_CONTRACT)
    triggers = [due(line=line, contract=OTHER_CONTRACT) for line in (THIRD_LINE, OTHER_LINE)]
    for batch in [triggers] if together else [[one] for one in triggers]:
        await come(runtime, *batch)
    chunks = await claimed(runtime)
    assert {chunk.claim.run_id for chunk in chunks} == {scheduled_run_id(OTHER_CONTRACT, TODAY)}
    assert len({chunk.claim.id for chunk in chunks}) == (1 if together else 2)
    assert await statuses(runtime, OTHER_LINE) == await statuses(runtime, THIRD_LINE) == {TODAY: "successful"}
    assert len(await rows(runtime, "select * from runs")) == 1


async def test_any_order_and_number_of_triggers_ends_the_same(runtime: Runtime) -> None:
    days = [ago(n) for n in (9, 6, 3, 0, -3)]
    await ready(runtime, *range(1, 6))
    await schedule(runtime, *days)
    triggers = [due(day) for day in days * 3]
    random.Random(3).shuffle(triggers)
    for start in range(0, len(triggers), 4):
        await come(runtime, *triggers[start : start + 4])
    found = await statuses(runtime)
    assert found.pop(ago(-3)) == "not_run"
    assert sorted(found.values()) == ["skipped", "skipped", "skipped", "successful"]
    assert sum(chunk.claim.items for chunk in await claimed(runtime)) == 5
    assert await violations(runtime) == []


async def test_two_processes_with_the_same_trigger_run_it_once(runtime: Runtime) -> None:
    await ready(runtime, 1)
    await schedule(runtime, TODAY)

    async def handle() -> str:
        async with runtime.database.transaction() as session:
            done = await service.run_due(session, runtime.context(), [Due(CONTRACT, LINE, TODAY)])
            return next(iter(done.values()))

    assert sorted(await asyncio.gather(handle(), handle())) == ["has_run", "run"]
    assert len(await claimed(runtime)) == 1


async def test_one_ahead_of_its_contracts_day_waits_visibly(runtime: Runtime, clock: SetClock) -> None:
    await _zone(runtime, "America/New_York")
    await schedule(runtime, TODAY, ago(-1))
    clock.set(datetime.fromisoformat("2026-03-02T04:59:59Z"))
    await come(runtime, due(), due(), due(ago(-1)))
    assert set((await statuses(runtime)).values()) == {"not_run"}
    assert [one["detail"] for one in await waiting(runtime)] == [
        f"contract line {LINE} is to run on 2026-03-02",
        f"contract line {LINE} is to run on 2026-03-03",
    ]
    clock.set(datetime.fromisoformat("2026-03-02T05:00:00Z"))
    await come(runtime, due())
    assert await statuses(runtime) == {TODAY: "skipped", ago(-1): "not_run"}
    assert len(await waiting(runtime)) == 1


async def test_a_foreign_trigger_does_not_end_the_wait_of_the_right_one(runtime: Runtime) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, ago(-1))
    await come(runtime, due(ago(-1)), due(ago(-1), contract=OTHER_CONTRACT))
    assert len(await waiting(runtime)) == 1


async def _zone(runtime: Runtime, zone: str) -> None:
    async with runtime.database.transaction() as session:
        await execute(session, "update contracts set time_zone = $1", zone)
