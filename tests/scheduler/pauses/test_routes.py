"""Pausing and resuming over HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from proforma.clock import SetClock
from scheduler.loop import publish_turn
from scheduler.worker import HANDLERS
from tests.conftest import MakeApi
from tests.scheduler.calendars import TODAY, Line, noon, statuses
from tests.support.api import Api
from tests.support.events import deliver, outbox_of

ANY = {"If-Match": "*"}
DAYS = [TODAY + timedelta(days=n) for n in range(5)]


@pytest.fixture
async def scheduler(api: MakeApi) -> Api:
    return await api("scheduler")


async def act(scheduler: Api, line: Line, verb: str, **request: Any) -> httpx.Response:
    request = {"headers": ANY, **request}
    return await scheduler.as_("biller").post(f"/v1/schedules/{line.schedule_id}/{verb}", **request)


async def done(scheduler: Api, line: Line, verb: str, **request: Any) -> dict[str, Any]:
    answer = await act(scheduler, line, verb, **request)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


async def sent(scheduler: Api) -> list[str]:
    return [one.body["run_date"] for one in await outbox_of(scheduler.runtime)]


async def test_a_paused_schedule_holds_back_what_becomes_due(scheduler: Api, clock: SetClock) -> None:
    line, other = Line(), Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS[1:4]), other.changed(1, DAYS[1:2]))
    paused = await done(scheduler, line, "pause", json={"reason": "a dispute"})
    assert (paused["paused"], paused["paused_by"], paused["paused_at"]) == (True, "biller", "2026-03-02T09:00:00Z")
    assert [row["held"] for row in paused["rows"]] == [True] * 3
    clock.set(noon(DAYS[2]))
    await publish_turn(scheduler.runtime)
    assert [one.key for one in await outbox_of(scheduler.runtime)] == [str(other.contract_id)]
    assert await statuses(scheduler.runtime, line) == dict.fromkeys(DAYS[1:4], "upcoming")


async def test_resuming_publishes_the_latest_and_supersedes_the_earlier_ones(scheduler: Api, clock: SetClock) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS))
    await publish_turn(scheduler.runtime)
    await done(scheduler, line, "pause")
    clock.set(noon(DAYS[3]))
    await publish_turn(scheduler.runtime)
    resumed = await done(scheduler, line, "resume")
    assert (resumed["paused"], resumed["paused_by"], resumed["paused_at"]) == (False, None, None)
    assert [row["status"] for row in resumed["rows"]] == [
        "published", "superseded", "superseded", "published", "upcoming"
    ]  # fmt: skip
    assert not any(row["held"] for row in resumed["rows"])
    await publish_turn(scheduler.runtime)
    assert await sent(scheduler) == [str(DAYS[0]), str(DAYS[3])]
    clock.set(noon(DAYS[4]))
    await publish_turn(scheduler.runtime)
    assert await sent(scheduler) == [str(DAYS[0]), str(DAYS[3]), str(DAYS[4])]
    *before, last = resumed["rows"]
    again = await done(scheduler, line, "resume")
    assert again == {**resumed, "rows": [*before, {**last, "status": "published"}]}


async def test_a_change_that_comes_while_paused_keeps_the_pause(scheduler: Api, clock: SetClock) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, [DAYS[2]]))
    await done(scheduler, line, "pause")
    await deliver(scheduler.runtime, HANDLERS, line.changed(2, [DAYS[0], DAYS[1], DAYS[4]]))
    clock.set(noon(DAYS[2]))
    await publish_turn(scheduler.runtime)
    assert await sent(scheduler) == []
    shown = (await scheduler.as_("biller").get(f"/v1/schedules/{line.schedule_id}")).json()
    assert (shown["paused"], shown["schedule_version"], [row["held"] for row in shown["rows"]]) == (True, 2, [True] * 3)
    await done(scheduler, line, "resume")
    assert await sent(scheduler) == [str(DAYS[1])]
    assert await statuses(scheduler.runtime, line) == {
        DAYS[0]: "superseded", DAYS[1]: "published", DAYS[2]: "canceled", DAYS[4]: "upcoming"
    }  # fmt: skip


async def test_an_end_cancels_what_is_held(scheduler: Api, clock: SetClock) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS[:2]))
    await done(scheduler, line, "pause")
    await deliver(scheduler.runtime, HANDLERS, line.ended(2))
    assert await statuses(scheduler.runtime, line) == dict.fromkeys(DAYS[:2], "canceled")
    ended = await done(scheduler, line, "resume")
    assert (ended["status"], ended["paused"], await sent(scheduler)) == ("ended", False, [])
    refused = await act(scheduler, line, "pause")
    assert (refused.status_code, refused.json()["reason"]) == (409, "wrong_state")


async def test_a_superseded_row_stays_so_whatever_is_announced(scheduler: Api, clock: SetClock) -> None:
    line = Line()
    said = line.changed(1, DAYS[:2])
    await deliver(scheduler.runtime, HANDLERS, said)
    await done(scheduler, line, "pause")
    clock.set(noon(DAYS[1]))
    await done(scheduler, line, "resume")
    for version, rows in ((2, said.rows), (3, []), (4, said.rows)):
        await deliver(scheduler.runtime, HANDLERS, line.changed(version, rows))
        await publish_turn(scheduler.runtime)
        assert await statuses(scheduler.runtime, line) == {DAYS[0]: "superseded", DAYS[1]: "published"}
    assert await sent(scheduler) == [str(DAYS[1])]


async def test_a_day_counts_what_is_held_and_superseded_and_does_not_run_it(scheduler: Api, clock: SetClock) -> None:
    lines = [Line(), Line(), Line()]
    await deliver(scheduler.runtime, HANDLERS, *[line.changed(1, DAYS[:2]) for line in lines])
    await done(scheduler, lines[0], "pause")
    admin, path = scheduler.as_("admin"), f"/v1/days/{DAYS[0]}"

    async def counts(day: str = path) -> list[int]:
        shown = (await admin.get(day)).json()
        return [shown[name] for name in ("published", "owed", "held", "upcoming", "superseded", "canceled")]

    assert await counts() == [0, 2, 1, 0, 0, 0]
    assert await counts(f"/v1/days/{DAYS[1]}") == [0, 0, 0, 3, 0, 0]
    assert (await admin.post(f"{path}/run")).json() == {"changed": 2, "unchanged": 0, "refused": []}
    assert await counts() == [2, 0, 1, 0, 0, 0]
    clock.set(noon(DAYS[1]))
    await done(scheduler, lines[0], "resume")
    assert await counts() == [2, 0, 0, 0, 1, 0]
    assert await counts(f"/v1/days/{DAYS[1]}") == [1, 2, 0, 0, 0, 0]


async def test_what_is_held_is_no_alarm(scheduler: Api) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, [TODAY - timedelta(days=900)]))
    waiting = "/v1/waiting"
    assert [one["kind"] for one in (await scheduler.as_("admin").get(waiting)).json()["items"]] == ["due_trigger"]
    await done(scheduler, line, "pause")
    assert (await scheduler.as_("admin").get(waiting)).json()["items"] == []


async def test_the_version_must_be_the_one_that_was_read(scheduler: Api) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS))
    assert (await act(scheduler, line, "pause", headers={})).status_code == 428
    assert (await act(scheduler, line, "pause", headers={"If-Match": '"7"'})).status_code == 412
    first = await done(scheduler, line, "pause", headers={"If-Match": '"1"'})
    assert (first["version"], await done(scheduler, line, "pause", headers={"If-Match": '"2"'})) == (2, first)
    assert (await act(scheduler, line, "resume", headers={"If-Match": '"1"'})).status_code == 412
    assert (await act(scheduler, Line(), "resume")).status_code == 404


async def test_who_may(scheduler: Api) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS))
    path = f"/v1/schedules/{line.schedule_id}"
    for verb in ("pause", "resume"):
        for role in ("submitter", "approver", "service"):
            assert (await scheduler.as_(role).post(f"{path}/{verb}", headers=ANY)).status_code == 403
        for role in ("biller", "manager", "admin"):
            assert (await scheduler.as_(role).post(f"{path}/{verb}", headers=ANY)).status_code == 200


async def test_history_says_who_when_and_why(scheduler: Api, clock: SetClock) -> None:
    line, path = Line(), "/v1/schedules/{}/history"
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS[:3]))
    await done(scheduler, line, "pause", json={"reason": "a dispute"})
    clock.set(noon(DAYS[2]))
    resumed = await done(scheduler, line, "resume", json={"reason": "settled"})
    await done(scheduler, line, "resume", json={"reason": "again"})
    client = scheduler.as_("submitter")
    first = (await client.get(path.format(line.schedule_id), params={"limit": 1})).json()
    second = (await client.get(path.format(line.schedule_id), params={"limit": 1, "after": first["next"]})).json()
    (paused,), (let_go,) = first["items"], second["items"]
    assert paused == {
        "id": paused["id"], "action": "paused", "at": "2026-03-02T09:00:00Z", "by": "biller", "reason": "a dispute",
        "published_trigger_id": None, "superseded": 0,
    }  # fmt: skip
    assert let_go == {
        "id": let_go["id"], "action": "resumed", "at": "2026-03-04T12:00:00Z", "by": "biller", "reason": "settled",
        "published_trigger_id": resumed["rows"][2]["trigger_id"], "superseded": 2,
    }  # fmt: skip
    assert second["next"] is None
    assert (await client.get(path.format(Line().id))).status_code == 404


async def test_a_key_makes_the_same_answer(scheduler: Api, clock: SetClock) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS[:2]))
    await done(scheduler, line, "pause")
    headers = {"If-Match": '"2"', "Idempotency-Key": "monday"}
    first, second = [await act(scheduler, line, "resume", headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, second.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await sent(scheduler) == [str(DAYS[0])]


async def test_the_list_finds_the_paused_ones(scheduler: Api) -> None:
    lines = [Line(), Line()]
    await deliver(scheduler.runtime, HANDLERS, *[line.changed(1, DAYS) for line in lines])
    await done(scheduler, lines[0], "pause")
    for wanted, line in (("true", lines[0]), ("false", lines[1])):
        (found,) = (await scheduler.as_("biller").get(f"/v1/schedules?paused={wanted}")).json()["items"]
        assert (found["contract_line_id"], found["paused"]) == (str(line.id), wanted == "true")


@pytest.mark.parametrize("body", [{"reason": ""}, {"reason": "x" * 2001}, {"why": "x"}])
async def test_no_reason(scheduler: Api, body: dict[str, str]) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, DAYS))
    assert (await act(scheduler, line, "pause", json=body)).status_code == 422
