"""Imports of all classes: one file with every column, lines of JSON, and time sheets that know of no class but time."""

import json
from typing import Any

import pytest

from proforma.events.time_expense import EntriesApproved
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.imports.files import COLUMNS, csv_of, entries_of, imported, job_of, problems_of
from tests.time_expense.work import body, expense, material, pm

WIDE = (
    "external_id", "class", "project", "task", "resource", "role", "category", "product", "write_in", "date",
    "quantity", "unit", "unit_cost", "currency", "description", "external_description",
)  # fmt: skip
ROWS = [
    {**body(), "external_id": "time"},
    {**expense(unit="km", description="in", external_description="out"), "external_id": "expense"},
    {**material(product="X-1"), "external_id": "product"},
    {**material(write_in="a box, of screws"), "external_id": "write_in"},
]


@pytest.fixture
async def client(api: MakeApi) -> Api:
    """Steps are short here: three rows."""
    return await api("time-expense", limits={"job_step_max": 3})


def wide(*rows: dict[str, Any]) -> str:
    empty = dict.fromkeys(WIDE)
    return csv_of(*({**empty, **row} for row in rows), columns=WIDE)


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


async def upload(client: Api, form: str, state: str, *rows: dict[str, Any]) -> dict[str, Any]:
    if form == "csv":
        return await imported(client, wide(*rows), state)
    return await imported(client, lines(*rows), state, content_type="application/x-ndjson")


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.parametrize("state", ["draft", "submitted", "approved"])
async def test_every_class_comes_in(client: Api, form: str, state: str) -> None:
    job = await upload(client, form, state, *ROWS)
    assert (job["status"], job["result"]) == ("succeeded", {"created": 4, "updated": 0, "unchanged": 0})
    entries = await entries_of(client)
    for row in ROWS:
        entry = entries[row["external_id"]]
        unit = row.get("unit") or ("hour" if row["class"] == "time" else "each")
        assert {name: entry[name] for name in WIDE} == {**dict.fromkeys(WIDE), **row, "unit": unit}
    again = await upload(client, form, state, *ROWS)
    assert again["result"] == {"created": 0, "updated": 0, "unchanged": 4}
    told = [
        one for sent in await outbox_of(client.runtime) for one in EntriesApproved.model_validate(sent.body).entries
    ]
    assert len(told) == (4 if state == "approved" else 0)
    for one in told:
        shown = one.model_dump(mode="json")
        assert {name: shown[name] for name in WIDE} == {name: entries[str(one.external_id)][name] for name in WIDE}


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_change_of_any_field_is_an_update(client: Api, form: str) -> None:
    await upload(client, form, "draft", *ROWS)
    changes: list[dict[str, Any]] = [
        {"role": "lead"},
        {"category": "hotel", "unit_cost": "50", "currency": "USD", "unit": "night"},
        {"product": None, "write_in": "another"},
        {"unit_cost": "0.5"},
    ]
    changed = [{**row, **change} for row, change in zip(ROWS, changes, strict=True)]
    job = await upload(client, form, "approved", *changed)
    assert job["result"] == {"created": 0, "updated": 4, "unchanged": 0}
    entries = await entries_of(client)
    for row, change in zip(ROWS, changes, strict=True):
        entry = entries[row["external_id"]]
        assert {name: entry[name] for name in change} == change
        assert (entry["status"], entry["revision"], entry["version"]) == ("approved", 1, 2)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_row_with_another_class_s_field_is_a_problem(client: Api, form: str) -> None:
    bad = [
        ({**body(unit_cost="1")}, "unit_cost"),
        ({**body(role=None)}, "role"),
        ({**expense(role="dev")}, "role"),
        ({**expense(category=None)}, "category"),
        ({**expense(currency="euro")}, "currency"),
        ({**material()}, "write_in"),
        ({**material(product="X", write_in="x")}, "write_in"),
        ({**expense(quantity="1000000.01")}, "quantity"),
        ({**body(**{"class": "fee"})}, "class"),
    ]
    rows = [{**row, "external_id": f"te-{n}"} for n, (row, _) in enumerate(bad)]
    job = await upload(client, form, "approved", *rows, ROWS[1])
    assert job["result"] == {"created": 1, "updated": 0, "unchanged": 0}
    first = 2 if form == "csv" else 1
    assert await problems_of(client, job) == [(n + first, f"te-{n}", "validation") for n in range(len(bad))]
    items = (await pm(client).get(f"/v1/jobs/{job['id']}/problems")).json()["items"]
    assert [item["detail"].partition(":")[0] for item in items] == [field for _, field in bad]


async def test_a_class_is_fixed(client: Api) -> None:
    await imported(client, wide(ROWS[0]))
    job = await imported(client, wide({**ROWS[1], "external_id": "time"}))
    assert await problems_of(client, job) == [(2, "time", "validation")]
    assert (await entries_of(client))["time"]["class"] == "time"


async def test_a_time_sheet_needs_no_new_columns(client: Api) -> None:
    assert not set(COLUMNS) & {"category", "product", "write_in", "unit_cost", "currency"}
    job = await imported(client, csv_of({"external_id": "te-1"}), "approved")
    assert (await job_of(client, job["id"]))["result"] == {"created": 1, "updated": 0, "unchanged": 0}
    short = tuple(name for name in WIDE if name not in ("role", "task", "product", "write_in"))
    job = await imported(client, csv_of({**ROWS[1], "external_id": "te-2"}, columns=short))
    assert job["result"] == {"created": 1, "updated": 0, "unchanged": 0}
