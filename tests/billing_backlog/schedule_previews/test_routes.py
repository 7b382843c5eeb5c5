"""Previews: the rows that would be, and nothing kept."""

from typing import Any
from uuid import uuid4

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, pointers
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.support.rows import change, value

PATH = "/v1/invoice-schedules"
MONDAYS = {"period": "two_weeks", "weekday": "monday"}


async def previewed(desk: Masters, **body: Any) -> Json:
    answer = await desk.biller.post(f"{PATH}/preview", json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def dates(found: Json) -> list[str]:
    return [row["run_date"] for row in found["rows"]]


async def test_it_shows_what_create_makes_and_keeps_nothing(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active(billing_start="2026-03-10")
    said = len(await outbox_of(runtime))
    body = {"contract_line_id": line["id"], "frequency": MONDAYS, "end": "2026-05-01", "cut_off_days_before": 3}
    found = await previewed(desk, **body)
    assert (found["start"], found["end"]) == ("2026-03-10", "2026-05-01")
    assert await value(runtime, "select count(*) from invoice_schedules") == 0
    assert len(await outbox_of(runtime)) == said
    made = (await desk.biller.post(PATH, json=body)).json()
    terms = [(row["run_date"], row["cut_off"]) for row in made["rows"]]
    assert terms[0] == ("2026-03-16", "2026-03-13")
    assert [(row["run_date"], row["cut_off"]) for row in found["rows"]] == terms
    assert dates(await previewed(desk, **body)) == dates(found), "a schedule that is there is no hindrance"


async def test_without_a_line_it_begins_today(desk: Masters) -> None:
    found = await previewed(desk, frequency={"period": "month", "days": [2, "last"]}, end="2026-04-02")
    assert (found["start"], dates(found)) == ("2026-03-02", ["2026-03-02", "2026-03-31", "2026-04-02"])


async def test_explicit_rows_get_their_cut_offs(desk: Masters) -> None:
    found = await previewed(
        desk, rows=[{"run_date": "2026-04-01"}, {"run_date": "2026-03-01", "cut_off": "2026-02-15"}]
    )
    assert found["rows"] == [
        {"run_date": "2026-03-01", "cut_off": "2026-02-15"},
        {"run_date": "2026-04-01", "cut_off": "2026-03-31"},
    ]
    assert (found["start"], found["end"]) == (None, None)


async def test_days_on_which_the_line_ran_are_left_out(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    await desk.biller.post(PATH, json={"contract_line_id": line["id"], "rows": [{"run_date": "2026-03-02"}]})
    await change(runtime, "update schedule_rows set status = 'skipped', ran_at = now(), run_id = id")
    found = await previewed(desk, contract_line_id=line["id"], frequency=MONDAYS)
    assert dates(found)[0] == "2026-03-16"
    refused = {"contract_line_id": line["id"], "rows": [{"run_date": "2026-03-02"}]}
    assert pointers(await desk.biller.post(f"{PATH}/preview", json=refused)) == ["/rows/0/run_date"]


async def test_a_fixed_price_shows_its_milestones(desk: Masters) -> None:
    line = await desk.line(await desk.contract(), billing_method="fixed_price", contracted_amount="2000")
    for day in ("2026-05-01", "2026-04-01", "2026-05-01"):
        body = {"contract_line_id": line["id"], "name": "Part", "date": day, "amount": "500"}
        assert (await desk.biller.post("/v1/milestones", json=body)).status_code == 201
    found = await previewed(desk, contract_line_id=line["id"])
    assert [(row["run_date"], row["cut_off"]) for row in found["rows"]] == [
        ("2026-04-01", "2026-04-01"),
        ("2026-05-01", "2026-05-01"),
    ]
    answer = await desk.biller.post(f"{PATH}/preview", json={"contract_line_id": line["id"], "frequency": MONDAYS})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, ["/frequency"]),
        ({"frequency": MONDAYS, "rows": [{"run_date": "2026-04-01"}]}, ["/frequency"]),
        ({"rows": [{"run_date": "2026-04-01"}], "start": "2026-04-01"}, ["/start"]),
        ({"rows": [{"run_date": "2026-04-01"}] * 2}, ["/rows/1/run_date"]),
        ({"frequency": MONDAYS, "start": "2026-04-02", "end": "2026-04-01"}, ["/end"]),
        ({"frequency": MONDAYS, "end": "2026-03-01"}, ["/end"]),
        ({"frequency": MONDAYS, "start": "2026-02-01", "end": "2026-03-01"}, ["/frequency"]),
        ({"frequency": MONDAYS, "contract_line_id": str(uuid4())}, ["/contract_line_id"]),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, body: Json, at: list[str]) -> None:
    assert pointers(await desk.biller.post(f"{PATH}/preview", json=body)) == at


async def test_a_line_alone_needs_a_fixed_price(desk: Masters) -> None:
    line = await desk.line(await desk.contract())
    answer = await desk.biller.post(f"{PATH}/preview", json={"contract_line_id": line["id"]})
    assert pointers(answer) == ["/frequency"]


async def test_it_is_the_billers(client: Api) -> None:
    for role in ("submitter", "approver", "service"):
        answer = await client.as_(role).post(f"{PATH}/preview", json={"frequency": MONDAYS})
        assert answer.status_code == 403
