"""Contract lines over HTTP."""

from uuid import uuid4

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.contracts.test_routes import post_work
from tests.billing_backlog.masters import Json, Masters, line_body, pointers
from tests.support.api import Api

URL = "/v1/contract-lines"
FIXED: Json = {"billing_method": "fixed_price"}


async def test_one_is_made_and_shown(desk: Masters) -> None:
    contract = await desk.contract()
    sent = {
        **line_body(contract["id"]),
        "external_id": "L-1",
        "tasks": ["BUILD", "DESIGN"],
        "includes": ["time", "expense", "material", "fee"],
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
        "billing_start": "2026-02-01",
    }
    answer = await desk.biller.post(URL, json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {name: made[name] for name in sent} == sent
    shown = await desk.biller.get(answer.headers["location"])
    assert shown.json() == made
    assert shown.headers["etag"] == answer.headers["etag"] == '"1"'
    assert (await desk.biller.get(f"{URL}/{uuid4()}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"contract_id": str(uuid4())}, "/contract_id"),
        ({"kind": "gift"}, "/kind"),
        ({"billing_method": "by_mood"}, "/billing_method"),
        ({"billing_method": "fixed_price"}, "/contracted_amount"),
        ({**FIXED, "contracted_amount": "0"}, "/contracted_amount"),
        ({**FIXED, "contracted_amount": "1.001"}, "/contracted_amount"),
        ({**FIXED, "contracted_amount": "1", "includes": ["time", "fee"]}, "/includes"),
        ({"non_chargeable": {"tasks": ["A"]}}, "/non_chargeable/tasks"),
        ({"tasks": ["A"], "non_chargeable": {"tasks": ["B"]}}, "/non_chargeable/tasks"),
        ({"non_chargeable": {"roles": ["a", "a"]}}, "/non_chargeable/roles"),
        ({"non_chargeable": {"role": ["a"]}}, "/non_chargeable/role"),
        ({"product": "X"}, "/product"),
        ({"price": "1"}, "/price"),
        ({"project": ""}, "/project"),
        ({"tasks": []}, "/tasks"),
        ({"tasks": ["A", "A"]}, "/tasks"),
        ({"tasks": [str(n) for n in range(501)]}, "/tasks"),
        ({"includes": []}, "/includes"),
        ({"includes": ["milestone"]}, "/includes/0"),
        ({"includes": ["time", "time"]}, "/includes"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-31"}, "/valid_to"),
        ({"contracted_amount": "100"}, "/contracted_amount"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, fields: Json, pointer: str) -> None:
    good = line_body((await desk.contract())["id"])
    assert pointers(await desk.biller.post(URL, json={**good, **fields})) == [pointer]
    assert pointers(await desk.biller.post(URL, json=[good, {**good, **fields}])) == [f"/1{pointer}"]
    assert (await desk.biller.get(URL)).json()["items"] == []


async def test_what_is_allowed_is_told(desk: Masters) -> None:
    answer = await desk.biller.post(URL, json={**line_body(), "kind": "gift"})
    assert [error["allowed"] for error in answer.json()["errors"]] == [["project", "product"]]
    answer = await desk.biller.post(URL, json={**line_body(), "billing_method": "by_mood"})
    assert [error["allowed"] for error in answer.json()["errors"]] == [["time_and_material", "fixed_price"]]


async def test_a_fixed_price_and_what_is_not_charged(desk: Masters) -> None:
    contract = await desk.contract()
    free = {"roles": ["trainee"], "categories": ["Meals"], "tasks": ["B"]}
    made = await desk.line(contract, **FIXED, tasks=["A", "B"], non_chargeable=free, contracted_amount="100.50")
    assert (made["billing_method"], made["contracted_amount"], made["non_chargeable"]) == (
        "fixed_price", "100.50", free
    )  # fmt: skip
    path = f"{URL}/{made['id']}"
    assert pointers(await desk.patch(path, {"tasks": ["A"]})) == ["/non_chargeable/tasks"]
    assert pointers(await desk.patch(path, {"tasks": None})) == ["/non_chargeable/tasks"]
    assert pointers(await desk.patch(path, {"includes": ["fee"]})) == ["/includes"]
    assert pointers(await desk.patch(path, {"contracted_amount": None})) == ["/contracted_amount"]
    assert pointers(await desk.patch(path, {"contracted_amount": "0.001"})) == ["/contracted_amount"]
    assert pointers(await desk.patch(path, {"price": "1", "unit": "m"})) == ["/unit", "/price"]
    change = {"tasks": ["A"], "non_chargeable": {"roles": [], "categories": [], "tasks": []}, "contracted_amount": "7"}
    assert (await desk.patch(path, change)).json() == {**made, **change, "version": 2}
    fixed = await desk.patch(f"/v1/contracts/{contract['id']}", {"currency": "JPY"})
    assert (fixed.status_code, "contracted amount" in fixed.json()["detail"]) == (409, True)
    plain = await desk.line(contract, project="Q")
    assert pointers(await desk.patch(f"{URL}/{plain['id']}", {"contracted_amount": "7"})) == ["/contracted_amount"]


async def test_a_fixed_price_takes_the_work_of_its_project_as_any_line(desk: Masters) -> None:
    contract, _ = await desk.active(**FIXED, contracted_amount="1")
    refused = await desk.biller.post(URL, json=line_body(contract["id"]))
    assert refused.status_code == 409
    assert (await desk.biller.post(URL, json={**line_body(contract["id"]), "includes": ["fee"]})).status_code == 201


async def test_the_list_has_filters(desk: Masters) -> None:
    one, other = await desk.contract(), await desk.contract()
    a = await desk.line(one, external_id="A")
    b = await desk.line(one, project="Q")
    c = await desk.line(other, project="Q")
    p = await desk.product(other)
    for params, wanted in (
        ({"contract_id": one["id"]}, [a, b]),
        ({"project": "Q"}, [b, c]),
        ({"contract_id": other["id"], "project": "Q"}, [c]),
        ({"external_id": "A"}, [a]),
        ({"kind": "product"}, [p]),
        ({"kind": "project"}, [a, b, c]),
        ({}, [a, b, c, p]),
    ):
        found = (await desk.biller.get(URL, params=params)).json()["items"]
        assert found == sorted(wanted, key=lambda line: str(line["id"]))
    page = (await desk.biller.get(URL, params={"limit": 2})).json()
    rest = (await desk.biller.get(URL, params={"limit": 2, "after": page["next"]})).json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 2, None)


async def test_an_edit_raises_the_version(desk: Masters) -> None:
    made = await desk.line(await desk.contract(), tasks=["A"], valid_to="2026-12-31")
    path = f"{URL}/{made['id']}"
    change = {"name": "New", "project": "Q", "tasks": None, "includes": ["fee"], "valid_to": None}
    edited = await desk.patch(path, change, '"1"')
    assert edited.json() == {**made, **change, "version": 2}
    assert edited.headers["etag"] == '"2"'
    assert pointers(await desk.patch(path, {"valid_from": "2026-02-01", "valid_to": "2026-01-31"})) == ["/valid_to"]
    assert pointers(await desk.patch(path, {"contract_id": str(uuid4())})) == ["/contract_id"]
    assert pointers(await desk.patch(path, {"includes": None})) == ["/includes"]
    assert (await desk.patch(path, {"name": "x"}, '"1"')).status_code == 412
    assert (await desk.biller.patch(path, json={"name": "x"})).status_code == 428
    assert (await desk.biller.delete(path)).status_code == 428
    assert (await desk.delete(path, '"1"')).status_code == 412
    assert (await desk.delete(path, '"2"')).status_code == 204
    assert (await desk.delete(path)).status_code == 404


async def test_a_line_with_work_keeps_its_project_and_is_not_deleted(runtime: Runtime, desk: Masters) -> None:
    contract, made = await desk.active()
    other = await desk.line(contract, project="Q")
    await post_work(runtime, contract["id"], made["id"])
    path = f"{URL}/{made['id']}"
    refused = await desk.patch(path, {"project": "R"})
    assert refused.status_code == 409
    assert (await desk.delete(path)).status_code == 409
    assert (await desk.biller.get(path)).json() == made
    assert (await desk.patch(path, {"project": made["project"], "valid_to": "2027-01-01"})).status_code == 200
    assert (await desk.patch(f"{URL}/{other['id']}", {"project": "R"})).status_code == 200
    assert (await desk.delete(f"{URL}/{other['id']}")).status_code == 204


async def test_a_line_with_a_schedule_is_not_deleted(desk: Masters) -> None:
    _, made = await desk.active()
    rows = [{"run_date": "2026-04-01"}]
    schedule = await desk.biller.post("/v1/invoice-schedules", json={"contract_line_id": made["id"], "rows": rows})
    assert schedule.status_code == 201, schedule.text
    refused = await desk.delete(f"{URL}/{made['id']}")
    assert (refused.status_code, refused.json()["schedule_id"]) == (409, schedule.json()["id"])
    ended = await desk.delete(f"/v1/invoice-schedules/{schedule.json()['id']}")
    assert ended.is_success
    assert (await desk.delete(f"{URL}/{made['id']}")).status_code == 204


async def test_a_closed_contract_keeps_its_lines(desk: Masters) -> None:
    contract, made = await desk.active()
    assert (await desk.verb(contract["id"], "close")).status_code == 200
    path = f"{URL}/{made['id']}"
    refused = await desk.patch(path, {"name": "x"})
    assert (refused.json()["status"], refused.json()["state"]) == (409, "closed")
    assert (await desk.delete(path)).status_code == 409
    assert (await desk.biller.post(URL, json=line_body(contract["id"]))).status_code == 409
    assert (await desk.patch(f"/v1/contracts/{contract['id']}", {"name": "x"})).status_code == 409


async def test_a_contract_has_a_thousand_lines_at_most(desk: Masters) -> None:
    contract = await desk.contract()
    many = [line_body(contract["id"])] * 1000
    assert (await desk.biller.post(URL, json=many)).status_code == 201
    refused = await desk.biller.post(URL, json=line_body(contract["id"]))
    assert (refused.status_code, refused.json()["reason"]) == (409, "limit_exceeded")


async def test_a_line_of_an_active_contract_takes_no_work_of_another(desk: Masters) -> None:
    contract, held = await desk.active(tasks=["A"], valid_to="2026-06-30")
    other, _ = await desk.active(project="Q")
    clash = await desk.biller.post(URL, json={**line_body(other["id"]), "valid_from": "2026-06-30"})
    assert clash.status_code == 409
    told = clash.json()
    assert (told["other_contract_line_id"], told["other_contract_id"]) == (held["id"], contract["id"])
    assert "time of task A of project PORTAL, for example on 2026-06-30" in told["detail"]

    apart = await desk.biller.post(URL, json={**line_body(other["id"]), "valid_from": "2026-07-01"})
    assert apart.status_code == 201
    path = f"{URL}/{apart.json()['id']}"
    widened = await desk.patch(path, {"valid_from": "2026-06-30"})
    assert (widened.status_code, widened.json()["contract_line_id"]) == (409, apart.json()["id"])
    assert (await desk.biller.get(path)).json() == apart.json()
    for change in ({"includes": ["expense"]}, {"tasks": ["B"]}):
        assert (await desk.patch(path, {**change, "valid_from": None})).status_code == 200
        assert (await desk.patch(path, {"includes": ["time"], "tasks": None})).status_code == 409
        assert (await desk.patch(path, {"includes": ["time"], "tasks": None, "valid_from": "2026-07-01"})).is_success


async def test_lines_of_one_array_and_of_one_contract_are_held_to_it_too(desk: Masters) -> None:
    contract, held = await desk.active(tasks=["A"])
    twins = [{**line_body(contract["id"]), "tasks": tasks} for tasks in (["B"], ["C", "B"])]
    assert (await desk.biller.post(URL, json=twins)).status_code == 409
    within = await desk.biller.post(URL, json=line_body(contract["id"]))
    assert within.json()["other_contract_line_id"] == held["id"]
    assert (await desk.biller.get(URL)).json()["items"] == [held]


async def test_a_draft_may_hold_what_an_active_contract_takes(desk: Masters) -> None:
    await desk.active()
    draft = await desk.contract()
    made = await desk.line(draft)
    assert (await desk.patch(f"{URL}/{made['id']}", {"name": "x"})).status_code == 200


async def test_only_billers_and_managers_write(client: Api, desk: Masters) -> None:
    made = await desk.line(await desk.contract())
    path = f"{URL}/{made['id']}"
    for role in ("submitter", "approver", "service"):
        other = client.as_(role)
        assert (await other.get(path)).status_code == 200
        assert (await other.post(URL, json=line_body())).status_code == 403
        assert (await other.patch(path, json={}, headers={"If-Match": "*"})).status_code == 403
        assert (await other.delete(path, headers={"If-Match": "*"})).status_code == 403
