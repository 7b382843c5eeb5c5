"""The import's job: what it applies, what it names as problems, and that a kill costs nothing but time."""

from collections import Counter

import pytest

from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.imports.files import (
    COLUMNS,
    csv_of,
    entries_of,
    imported,
    numbered,
    problems_of,
    told,
)
from tests.time_expense.work import ANY, ENTRIES, person, pm


@pytest.fixture
async def client(api: MakeApi) -> Api:
    """Steps are short here: three rows."""
    return await api("time-expense", limits={"job_step_max": 3})


async def test_rows_come_in_as_entries_in_each_state(client: Api) -> None:
    for state, status in (("draft", "draft"), ("submitted", "submitted"), ("approved", "approved")):
        names = [f"{state}-{n}" for n in range(4)]
        job = await imported(client, csv_of(*({"external_id": name} for name in names)), state)
        assert (job["status"], job["total"], job["done"], job["refused"]) == ("succeeded", 4, 4, 0)
        assert job["result"] == {"created": 4, "updated": 0, "unchanged": 0}
        entry = (await entries_of(client))[names[0]]
        decided = ("pm", "2026-03-02T09:00:00Z", "8.00") if state == "approved" else (None, None, None)
        assert (entry["status"], entry["revision"], entry["version"]) == (status, int(state == "approved"), 1)
        assert (entry["decided_by"], entry["decided_at"], entry["billable_quantity"]) == decided
        assert entry["submitted_by"] == (None if state == "draft" else "pm")
        assert (entry["created_by"], entry["resource"], entry["task"]) == ("pm", "ada", "design")
        [history] = (await pm(client).get(f"{ENTRIES}/{entry['id']}/history")).json()["items"]
        assert (history["action"], history["status"], history["by"]) == ("imported", status, "pm")
    assert await told(client) == Counter(names)


async def test_json_lines_come_in_as_csv_does(client: Api) -> None:
    lines = (
        '{"external_id": "te-1", "class": "time", "project": "P-1", "resource": "ada", "role": "dev",'
        ' "date": "2026-02-27", "quantity": "7.50", "description": "a\\nb", "task": null}\n'
        '{"external_id": "te-2", "class": "time"}\n'
        "nonsense\n"
        '["te-3"]\n'
        '{"external_id": "te-4", "class": "time", "project": "P-1", "resource": "ada", "role": "dev",'
        ' "date": "2026-02-27", "quantity": 7.5}'
    )
    job = await imported(client, lines, content_type="application/x-ndjson")
    assert job["result"] == {"created": 1, "updated": 0, "unchanged": 0}
    named = {2: "te-2", 3: None, 4: None, 5: "te-4"}
    assert {line: external_id for line, external_id, _ in await problems_of(client, job)} == named
    entry = (await entries_of(client))["te-1"]
    assert (entry["quantity"], entry["description"], entry["task"]) == ("7.50", "a\nb", None)


async def test_a_file_that_is_sent_again_changes_nothing(client: Api) -> None:
    upload = csv_of(*numbered(7))
    await imported(client, upload, "approved")
    before = await entries_of(client)
    job = await imported(client, upload, "approved")
    assert job["result"] == {"created": 0, "updated": 0, "unchanged": 7}
    assert await entries_of(client) == before
    assert max((await told(client)).values()) == 1


async def test_what_has_changed_updates_what_may_be_edited(client: Api) -> None:
    await imported(client, csv_of(*numbered(4)))
    entries = await entries_of(client)
    for n, verbs in enumerate((["submit", "reject"], ["submit"], ["submit", "approve"])):
        for verb in verbs:
            who = pm(client) if verb != "submit" else client.as_("admin")
            sent = {"reason": "why"} if verb == "reject" else None
            answer = await who.post(f"{ENTRIES}/{entries[f'te-{n}']['id']}/{verb}", json=sent, headers=ANY)
            assert answer.status_code == 200
    job = await imported(client, csv_of(*numbered(4, quantity="6.00", task=None)), "submitted")
    assert job["result"] == {"created": 0, "updated": 2, "unchanged": 0}
    assert await problems_of(client, job) == [(3, "te-1", "wrong_state"), (4, "te-2", "wrong_state")]
    after = await entries_of(client)
    assert [after[f"te-{n}"]["status"] for n in range(4)] == ["submitted", "submitted", "approved", "submitted"]
    assert [after[f"te-{n}"]["quantity"] for n in range(4)] == ["6.00", "8.00", "8.00", "6.00"]
    rejected = after["te-0"]
    assert (rejected["task"], rejected["reason"], rejected["decided_by"], rejected["version"]) == (None, None, None, 4)
    assert rejected["submitted_by"] == "pm"
    history = (await pm(client).get(f"{ENTRIES}/{rejected['id']}/history")).json()["items"]
    assert history[-1]["changes"] == {
        "quantity": {"before": "8.00", "after": "6.00"},
        "task": {"before": "design", "after": None},
    }


async def test_an_update_that_approves_is_told_as_it_is_now(client: Api) -> None:
    await imported(client, csv_of(*numbered(2)))
    job = await imported(client, csv_of(*numbered(2, quantity="6.00", project="P-9")), "approved")
    assert job["result"] == {"created": 0, "updated": 2, "unchanged": 0}
    [event] = await outbox_of(client.runtime)
    assert event.key == "P-9"
    assert {(one["quantity"], one["billable_quantity"], one["revision"]) for one in event.body["entries"]} == {
        ("6.00", "6.00", 1)
    }
    assert {one["status"] for one in (await entries_of(client)).values()} == {"approved"}


async def test_bad_rows_are_named_by_line_and_the_rest_goes_on(client: Api) -> None:
    head = ",".join(COLUMNS)
    good = '{},time,P-1,,ada,dev,2026-02-27,8.00,"two\r\nlines"'
    lines = [
        head,  # 1
        good.format("te-1"),  # 2 and 3
        good.format(""),  # 4 and 5: no external_id
        good.format("te-2").replace("8.00", "24.01"),  # 6 and 7
        'te-3,time,"broken,P-1',  # 8
        good.format("te-4").replace("time", "expense"),  # 9 and 10
        "te-5,time,P-1",  # 11: cells are missing
        "",  # 12
        good.format("te-6") + ",more",  # 13 and 14
        good.format("te-7").replace("2026-02-27", "27.02.26"),  # 15 and 16
        good.format("te-8"),  # 17 and 18
    ]
    job = await imported(client, "\r\n".join(lines))
    assert job["result"] == {"created": 2, "updated": 0, "unchanged": 0}
    found = await problems_of(client, job)
    named = {4: None, 6: "te-2", 8: None, 9: "te-4", 11: "te-5", 13: "te-6", 15: "te-7"}
    assert {line: external_id for line, external_id, _ in found} == named
    assert {reason for _, _, reason in found} == {"validation"}
    assert (job["refused"], job["done"], job["total"]) == (7, 9, 9)
    entries = await entries_of(client)
    assert set(entries) == {"te-1", "te-8"}
    assert entries["te-8"]["description"] == "two\r\nlines"
    items = (await pm(client).get(f"/v1/jobs/{job['id']}/problems")).json()["items"]
    assert "quantity: " in items[1]["detail"]
    assert "24" in items[1]["detail"]


async def test_a_first_line_that_does_not_name_our_columns_fails_the_job(client: Api) -> None:
    wide = ",".join(COLUMNS)
    for first, words in (
        (f"{wide},hours", "unknown columns: 'hours'"),
        (wide.replace("external_id,", ""), "missing columns: 'external_id'"),
        (wide.replace("class,", "entry_class,"), "unknown columns: 'entry_class'; missing columns: 'class'"),
        (f"{wide},role", "columns given twice: 'role'"),
        (f"{wide},status", "unknown columns: 'status'"),
        ('"', "missing columns"),
    ):
        job = await imported(client, f"{first}\nte-1,time,P-1,,ada,dev,2026-02-27,8.00,,x\n")
        assert (first, job["status"]) == (first, "failed")
        assert words in job["result"]["detail"]
    assert await entries_of(client) == {}


async def test_a_file_without_rows_is_a_finished_import(client: Api) -> None:
    job = await imported(client, ",".join(COLUMNS) + "\n")
    assert (job["status"], job["total"], job["done"]) == ("succeeded", 0, 0)
    assert job["result"] == {"created": 0, "updated": 0, "unchanged": 0}


async def test_names_may_have_spaces_around_them_and_the_file_a_mark(client: Api) -> None:
    upload = "\ufeff" + csv_of({"external_id": "te-1"}).replace(",class,", " , class ,")
    assert (await imported(client, upload))["result"]["created"] == 1


async def test_the_charset_of_the_content_type_holds(client: Api) -> None:
    upload = csv_of({"external_id": "te-1", "task": "Prüfung"}, {"external_id": "te-2"}).encode("latin-1")
    job = await imported(client, upload)
    assert [line for line, _, _ in await problems_of(client, job)] == [2]
    assert set(await entries_of(client)) == {"te-2"}
    job = await imported(client, upload, content_type='text/csv; charset="ISO-8859-1"')
    assert job["result"] == {"created": 1, "updated": 0, "unchanged": 1}
    assert (await entries_of(client))["te-1"]["task"] == "Prüfung"


async def test_the_same_id_twice_in_a_file(client: Api) -> None:
    twice = [*numbered(2), {"external_id": "te-0"}, {"external_id": "te-1", "quantity": "6.00"}]
    job = await imported(client, csv_of(*twice), "approved")
    assert job["result"] == {"created": 2, "updated": 0, "unchanged": 1}
    assert await problems_of(client, job) == [(5, "te-1", "wrong_state")]
    assert await told(client) == Counter({"te-0": 1, "te-1": 1})
    drafts = [{**row, "external_id": "x" + row["external_id"]} for row in twice]
    job = await imported(client, csv_of(*drafts))
    assert job["result"] == {"created": 2, "updated": 1, "unchanged": 1}
    entry = (await entries_of(client))["xte-1"]
    assert (entry["quantity"], entry["version"]) == ("6.00", 2)
    history = (await pm(client).get(f"{ENTRIES}/{entry['id']}/history")).json()["items"]
    assert [(row["version"], row["action"], row["status"]) for row in history] == [
        (1, "imported", "draft"),
        (2, "imported", "draft"),
    ]


async def test_self_approval_and_projects_hold_row_by_row(client: Api) -> None:
    upload = csv_of(
        {"external_id": "te-1"}, {"external_id": "te-2", "resource": "pm"}, {"external_id": "te-3", "project": "P-2"}
    )
    job = await imported(client, upload, "approved", who=pm(client, projects=["P-1"]))
    assert job["result"] == {"created": 1, "updated": 0, "unchanged": 0}
    assert await problems_of(client, job) == [(3, "te-2", "self_approval"), (4, "te-3", "forbidden")]
    assert await told(client) == Counter({"te-1": 1})


async def test_a_submitter_imports_own_entries_and_changes_no_other_s(client: Api) -> None:
    await imported(client, csv_of({"external_id": "te-1", "resource": "bob"}), who=person(client, "bob"))
    upload = csv_of(
        {"external_id": "te-1", "resource": "bob", "quantity": "1.00"}, {"external_id": "te-2", "resource": "ada"}
    )
    job = await imported(client, upload, "submitted", who=person(client, "ada"))
    assert await problems_of(client, job) == [(2, "te-1", "forbidden")]
    entries = await entries_of(client)
    assert (entries["te-1"]["quantity"], entries["te-2"]["submitted_by"]) == ("8.00", "ada")
