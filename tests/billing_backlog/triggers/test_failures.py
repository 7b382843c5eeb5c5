"""Runs that break are failed, alone, until they are retried; triggers that cannot be taken are set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.run_claims.service import measure
from billing_backlog.runs.service import RunLine, RunOutcome, run_all_scheduled
from billing_backlog.triggers import service
from billing_backlog.worker import HANDLERS
from proforma.context import Context
from proforma.dead_letters import drop
from proforma.envelope import Message
from proforma.errors import BrokenRule
from proforma.events.scheduler import RunDue
from proforma.handlers import Handler, Handlers
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json
from tests.billing_backlog.scene import CONTRACT, claimed, contract, firm, ready, rows, violations
from tests.billing_backlog.triggers.calendars import TODAY, ago, come, due, schedule, statuses
from tests.support.api import Api
from tests.support.events import DeadLettered, deliver, record_of
from tests.support.rows import change

OTHER_LINE, OTHER_CONTRACT = UUID(int=13), UUID(int=12)


@pytest.fixture(autouse=True)
async def _firm(runtime: Runtime) -> None:
    await firm(runtime)


class Breaking:
    """Runs every contract, and breaks where OTHER_CONTRACT has one of these lines, after all is claimed and told."""

    def __init__(self, *lines: UUID, error: type[Exception] = BrokenRule) -> None:
        self.lines = set(lines)
        self.error = error

    async def __call__(
        self, session: AsyncSession, context: Context, run_date: date, lines: Mapping[UUID, Sequence[RunLine]]
    ) -> Mapping[UUID, RunOutcome]:
        done = await run_all_scheduled(session, context, run_date, lines)
        if run_date == TODAY and self.lines & {line.contract_line_id for line in lines.get(OTHER_CONTRACT, ())}:
            raise self.error("this contract cannot be run")
        return done


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Runs break on the other contract's first line."""
    run = Breaking(OTHER_LINE)
    monkeypatch.setattr(service, "run_all_scheduled", run)
    return run


async def _others(runtime: Runtime, **lines: UUID) -> None:
    """The other contract, its lines named by their projects, each with a row today and an hour of ready work."""
    await contract(runtime, OTHER_CONTRACT, {line: project for project, line in lines.items()})
    for n, (project, line) in enumerate(lines.items(), start=10):
        await schedule(runtime, TODAY, line=line, contract=OTHER_CONTRACT)
        await ready(runtime, n, project=project)


def _other(line: UUID = OTHER_LINE, day: date = TODAY) -> RunDue:
    return due(day, line=line, contract=OTHER_CONTRACT)


async def _run_of_others(client: Api) -> Json:
    query = {"contract_id": str(OTHER_CONTRACT), "run_date": str(TODAY)}
    (found,) = (await client.as_("biller").get("/v1/invoice-runs", params=query)).json()["items"]
    shown: Json = found
    return shown


async def _retry(client: Api, run: Json) -> Json:
    answer = await client.as_("biller").post(f"/v1/invoice-runs/{run['id']}/retry", headers={"If-Match": "*"})
    assert answer.status_code == 202, answer.text
    told: Json = answer.json()
    return told


async def test_a_failure_in_one_contract_does_not_stop_another(
    runtime: Runtime, client: Api, breaking: Breaking
) -> None:
    """All in one batch: the other contract's run is undone as a whole, written down, and can be retried."""
    await _others(runtime, P2=OTHER_LINE)
    await ready(runtime, 1)
    await schedule(runtime, TODAY)
    await come(runtime, _other(), due())
    assert await statuses(runtime) == {TODAY: "successful"}
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "failed"}
    assert {chunk.claim.contract_id for chunk in await claimed(runtime)} == {CONTRACT}
    run = await _run_of_others(client)
    assert (run["status"], run["reason"]) == ("failed", "BrokenRule: this contract cannot be run")
    assert (run["claims"], run["items"], run["amount"]) == ([], 0, "0")
    assert [one["left_out"] for one in run["lines"]] == [{"not_ready": 1}]
    (row,) = await rows(runtime, "select run_id from schedule_rows where status = 'failed'")
    assert str(row["run_id"]) == run["id"], "the row names the run that is to be retried"
    assert await rows(runtime, "select * from dead_letters") == []
    breaking.lines.clear()
    told = await _retry(client, run)
    assert (told["status"], told["reason"], told["items"], told["amount"]) == ("claimed", None, 1, "1600.00")
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "successful"}
    await come(runtime, _other(), due())
    assert [chunk.claim.items for chunk in await claimed(runtime)] == [1, 1]
    assert await violations(runtime) == []


async def test_other_dates_of_the_same_contract_run(runtime: Runtime, breaking: Breaking) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, ago(2), ago(1), TODAY, line=OTHER_LINE, contract=OTHER_CONTRACT)
    await come(runtime, _other(), _other(day=ago(1)), _other(day=ago(2)))
    assert await statuses(runtime, OTHER_LINE) == {ago(2): "skipped", ago(1): "skipped", TODAY: "failed"}


async def test_what_is_away_is_no_failure(runtime: Runtime, breaking: Breaking) -> None:
    """Nothing is written down: the whole batch is tried again, for ever."""
    await _others(runtime, P2=OTHER_LINE)
    breaking.error = ConnectionError
    await schedule(runtime, TODAY)
    with pytest.raises(ConnectionError):
        await come(runtime, due(), _other())
    assert await statuses(runtime) == await statuses(runtime, OTHER_LINE) == {TODAY: "not_run"}
    breaking.lines.clear()
    await come(runtime, due(), _other())
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "successful"}


async def test_a_run_stays_failed_until_it_is_retried_and_does_not_repeat_what_it_did(
    runtime: Runtime, client: Api, breaking: Breaking
) -> None:
    """One line has claimed before, one breaks, one comes later: each is claimed once, on the same run."""
    before, after = UUID(int=14), UUID(int=15)
    await _others(runtime, P2=OTHER_LINE, P3=before, P4=after)
    await come(runtime, _other(before))
    await come(runtime, _other())
    run = await _run_of_others(client)
    assert (run["status"], len(run["claims"]), run["items"]) == ("failed", 1, 1)
    await come(runtime, _other(after))
    run = await _run_of_others(client)
    assert (run["status"], run["reason"]) == ("failed", "BrokenRule: this contract cannot be run")
    assert (len(run["claims"]), run["items"], run["amount"]) == (2, 2, "3200.00")
    (waits,) = await rows(runtime, "select id, detail from waiting where kind = 'failed_run'")
    assert waits["id"] == run["id"]
    assert "this contract cannot be run" in waits["detail"]
    breaking.lines.clear()
    told = await _retry(client, run)
    assert (told["status"], told["reason"], [one["items"] for one in told["claims"]]) == ("claimed", None, [1, 1, 1])
    found = [str(item.id) for chunk in await claimed(runtime) for item in chunk.items]
    assert len(found) == len(set(found)) == 3
    for line in (OTHER_LINE, before, after):
        assert await statuses(runtime, line) == {TODAY: "successful"}
    assert await rows(runtime, "select * from waiting where kind = 'failed_run'") == []
    assert await violations(runtime) == []


async def test_another_row_in_the_place_of_the_failed_one_mends_it_too(
    runtime: Runtime, client: Api, breaking: Breaking
) -> None:
    await _others(runtime, P2=OTHER_LINE)
    await come(runtime, _other())
    breaking.lines.clear()
    (made,) = (await client.as_("biller").get("/v1/invoice-schedules")).json()["items"]
    body, headers = {"rows": [{"run_date": str(TODAY)}]}, {"If-Match": "*"}
    edited = await client.as_("biller").patch(f"/v1/invoice-schedules/{made['id']}", json=body, headers=headers)
    assert [row["status"] for row in edited.json()["rows"]] == ["not_run"]
    await come(runtime, _other())
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "successful"}
    assert (await _run_of_others(client))["status"] == "claimed"


async def test_failed_runs_are_counted_while_somebody_can_retry_them(runtime: Runtime, breaking: Breaking) -> None:
    await _others(runtime, P2=OTHER_LINE)
    assert await _measured(runtime) == 0
    await come(runtime, _other())
    assert await _measured(runtime) == 1
    await change(runtime, "update contracts set status = 'closed'")
    assert await _measured(runtime) == 0
    assert await rows(runtime, "select * from waiting where kind = 'failed_run'") == []


async def _measured(runtime: Runtime) -> float:
    async with runtime.database.transaction() as session:
        await measure(session)
    found = REGISTRY.get_sample_value("proforma_backlog_failed_runs")
    assert found is not None
    return found


async def _run_refusing(session: AsyncSession, context: Context, messages: Sequence[Message[RunDue]]) -> None:
    """What cannot even be written down as failed."""
    raise BrokenRule("this trigger cannot be taken")


@pytest.mark.parametrize("ran_meanwhile", [False, True])
async def test_a_trigger_that_is_given_up_leaves_its_row_failed_unless_it_ran(
    runtime: Runtime, ran_meanwhile: bool
) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, TODAY, line=OTHER_LINE, contract=OTHER_CONTRACT)
    bad = due(line=OTHER_LINE, contract=OTHER_CONTRACT)
    with pytest.raises(DeadLettered):
        await deliver(runtime, Handlers(Handler(RunDue, _run_refusing)), bad)
    if ran_meanwhile:
        await come(runtime, bad)
    (letter,) = await rows(runtime, "select id from dead_letters")
    await _drop(runtime, letter["id"])
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "skipped" if ran_meanwhile else "failed"}
    await come(runtime, bad)
    assert await statuses(runtime, OTHER_LINE) == {TODAY: "skipped" if ran_meanwhile else "failed"}


async def test_an_unreadable_trigger_can_be_given_up(runtime: Runtime) -> None:
    with pytest.raises(DeadLettered):
        await deliver(runtime, HANDLERS, replace(record_of(due()), value=b"{"))
    (letter,) = await rows(runtime, "select id from dead_letters")
    await _drop(runtime, letter["id"])
    assert (await rows(runtime, "select status from dead_letters"))[0]["status"] == "dropped"


async def _drop(runtime: Runtime, letter_id: UUID) -> None:
    async with runtime.database.transaction() as session:
        await drop(session, runtime.context("admin"), HANDLERS, letter_id, "will not run")
