"""Invoices over HTTP: lists, edits, history, and what is refused."""

import uuid
from typing import Any

import pytest

from tests.invoicing.claimed import Desk, claiming

ANY = {"If-Match": "*"}


async def ids(desk: Desk, **query: Any) -> list[str]:
    answer = await desk.biller.get("/v1/invoices", params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def test_the_list_is_filtered(desk: Desk) -> None:
    one, two = await desk.draft(1), await desk.confirmed(1)
    await desk.biller.patch(f"/v1/invoices/{one['id']}", json={"invoice_date": "2026-05-01"}, headers=ANY)
    both = sorted([one["id"], two["id"]])
    assert await ids(desk) == both
    assert await ids(desk, status="draft") == [one["id"]]
    assert await ids(desk, kind="invoice") == both
    assert await ids(desk, kind="corrective") == []
    assert await ids(desk, contract_id=one["contract_id"]) == [one["id"]]
    assert await ids(desk, customer_id=one["customer"]["id"]) == both
    assert await ids(desk, customer_id=str(uuid.uuid4())) == []
    assert await ids(desk, number="PF-2026-000001") == [two["id"]]
    assert await ids(desk, run_id=two["run_id"]) == [two["id"]]
    assert await ids(desk, invoice_date_from="2026-05-01") == [one["id"]]
    assert await ids(desk, invoice_date_to="2026-04-30") == [two["id"]]
    assert await ids(desk, invoice_date_from="2026-03-02", invoice_date_to="2026-05-01") == both
    assert await ids(desk, status="confirmed", contract_id=one["contract_id"]) == []


async def test_the_list_comes_in_pages(desk: Desk) -> None:
    claims = [claiming(1) for _ in range(5)]
    await desk.deliver(*(chunk for claim in claims for chunk in claim.chunks()))
    first = (await desk.biller.get("/v1/invoices", params={"limit": 3})).json()
    second = (await desk.biller.get("/v1/invoices", params={"limit": 3, "after": first["next"]})).json()
    assert [one["id"] for one in [*first["items"], *second["items"]]] == sorted(str(claim.id) for claim in claims)
    assert second["next"] is None


async def test_a_bad_filter_is_refused(desk: Desk) -> None:
    for query in (
        "status=open", "kind=x", "contract_id=1", "run_id=", "invoice_date_from=2026-13-01", "limit=0", "limit=1001",
        "after=nothing", "colour=red", "number=",
    ):  # fmt: skip
        answer = await desk.biller.get(f"/v1/invoices?{query}")
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["pointer"].endswith(query.partition("=")[0])


async def test_an_edit_changes_what_was_sent_and_nothing_else(desk: Desk) -> None:
    draft = await desk.draft(1)
    answer = await desk.biller.patch(
        f"/v1/invoices/{draft['id']}",
        json={"invoice_date": "2026-03-31", "accounting_date": "2026-04-01", "description": "March"},
        headers={"If-Match": f'"{draft["version"]}"'},
    )
    shown = answer.json()
    assert {name for name in shown if shown[name] != draft[name]} == {
        "invoice_date", "accounting_date", "description", "version",
    }  # fmt: skip
    assert (shown["invoice_date"], shown["accounting_date"], shown["description"]) == (
        "2026-03-31", "2026-04-01", "March",
    )  # fmt: skip
    assert answer.headers["etag"] == f'"{draft["version"] + 1}"'
    cleared = await desk.biller.patch(
        f"/v1/invoices/{draft['id']}", json={"accounting_date": None, "description": None}, headers=ANY
    )
    assert (cleared.json()["accounting_date"], cleared.json()["description"]) == (None, None)
    entries = await desk.history(draft["id"])
    assert [entry["action"] for entry in entries] == ["opened", "claim_added", "edited", "edited"]
    assert entries[2]["by"] == "biller"
    assert (entries[2]["before"], entries[2]["after"]) == (
        {"invoice_date": "2026-03-02", "accounting_date": None, "description": None},
        {"invoice_date": "2026-03-31", "accounting_date": "2026-04-01", "description": "March"},
    )


async def test_an_edit_without_a_change_is_no_change(desk: Desk) -> None:
    draft = await desk.draft(1)
    for body in ({}, {"status": "draft"}, {"invoice_date": draft["invoice_date"], "description": None}):
        answer = await desk.biller.patch(f"/v1/invoices/{draft['id']}", json=body, headers=ANY)
        assert answer.json() == draft


async def test_review_and_back(desk: Desk) -> None:
    draft = await desk.draft(1)
    path = f"/v1/invoices/{draft['id']}"

    async def patch(**body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await desk.biller.patch(path, json=body, headers=ANY)).json()
        return answer

    assert (await patch(status="in_review"))["status"] == "in_review"
    assert (await patch(description="changed under review"))["status"] == "draft"
    reviewed = await patch(description="said so", status="in_review")
    assert (reviewed["status"], reviewed["description"]) == ("in_review", "said so")
    assert (await patch(status="draft"))["status"] == "draft"
    reviewed = await patch(status="in_review")
    assert (await desk.confirm(reviewed)).json()["status"] == "confirmed"


BAD_EDITS: list[tuple[dict[str, Any], str]] = [
    ({"invoice_date": None}, "/invoice_date"),
    ({"invoice_date": "31.03.2026"}, "/invoice_date"),
    ({"invoice_date": "2026-03-31T10:00:00Z"}, "/invoice_date"),
    ({"invoice_date": "0001-01-01"}, "/invoice_date"),
    ({"accounting_date": "9999-01-01"}, "/accounting_date"),
    ({"description": "x" * 2001}, "/description"),
    ({"description": "a\x00b"}, "/description"),
    ({"description": 5}, "/description"),
    ({"status": "confirmed"}, "/status"),
    ({"status": None}, "/status"),
    ({"total": "1.00"}, "/total"),
    ({"number": "PF-2026-000007"}, "/number"),
]


async def test_a_bad_edit_says_where_and_changes_nothing(desk: Desk) -> None:
    draft = await desk.draft(1)
    for body, pointer in BAD_EDITS:
        answer = await desk.biller.patch(f"/v1/invoices/{draft['id']}", json=body, headers=ANY)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:proforma:problem:validation"), body
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await desk.show(draft["id"]) == draft


@pytest.mark.parametrize("state", ["building", "confirmed", "discarded"])
async def test_only_a_draft_is_edited(desk: Desk, state: str) -> None:
    claim = claiming(2)
    await desk.deliver(*claim.chunks(1)[: 1 if state == "building" else 2])
    if state == "confirmed":
        await desk.confirm(await desk.show(claim.id))
    elif state == "discarded":
        await desk.biller.post(f"/v1/invoices/{claim.id}/discard", headers=ANY)
    before = await desk.show(claim.id)
    answer = await desk.manager.patch(f"/v1/invoices/{claim.id}", json={"description": "x"}, headers=ANY)
    assert (answer.status_code, answer.json()["state"]) == (409, state)
    assert answer.json()["allowed"] == ["draft", "in_review"]
    assert await desk.show(claim.id) == before


async def test_preconditions_of_an_edit(desk: Desk) -> None:
    draft = await desk.draft(1)
    path, body = f"/v1/invoices/{draft['id']}", {"description": "x"}
    assert (await desk.biller.patch(path, json=body)).status_code == 428
    assert (await desk.biller.patch(path, json=body, headers={"If-Match": '"1"'})).status_code == 412
    assert (await desk.biller.patch(path, json=body, headers={"If-Match": "soon"})).status_code == 422
    assert await desk.show(draft["id"]) == draft


async def test_unknown_invoices_are_not_found(desk: Desk) -> None:
    path = f"/v1/invoices/{uuid.uuid4()}"
    assert (await desk.biller.get(path)).status_code == 404
    assert (await desk.biller.get(f"{path}/history")).status_code == 404
    assert (await desk.biller.patch(path, json={}, headers=ANY)).status_code == 404
    assert (await desk.biller.get("/v1/invoices/7")).status_code == 422


async def test_who_may_what(desk: Desk) -> None:
    draft = await desk.draft(1)
    path = f"/v1/invoices/{draft['id']}"
    for role, status in (("submitter", 403), ("approver", 200), ("service", 200), ("manager", 200), ("admin", 200)):
        client = desk.api.as_(role)
        for what in ("/v1/invoices", path, f"{path}/history"):
            assert (await client.get(what)).status_code == status, (role, what)
    for role in ("submitter", "approver", "service"):
        assert (await desk.api.as_(role).patch(path, json={}, headers=ANY)).status_code == 403
    assert (await desk.api.with_token(None).get(path)).status_code == 401
