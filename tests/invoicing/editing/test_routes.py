"""Editing details over HTTP."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.invoicing.claimed import Claiming, Desk, claiming, item


async def test_a_reduced_quantity_shows_at_once_in_detail_line_and_invoice(desk: Desk) -> None:
    shown = await desk.draft(2, lines=[uuid.uuid4()])
    (one, _) = await desk.details(shown["id"])
    path = f"/v1/invoices/{shown['id']}/details/{one['id']}"
    answer = await desk.biller.patch(
        path, json={"quantity": "6.00", "reason": "agreed"}, headers={"If-Match": f'"{shown["version"]}"'}
    )
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{shown["version"] + 1}"')
    edited = answer.json()
    was = {"quantity": "8.00", "price": "200.00", "amount": "1600.00", "tax": "0.00", "billing_type": "chargeable"}
    assert {name: value for name, value in edited.items() if one[name] != value} == {
        "quantity": "6.00", "amount": "1200.00", "remainder": "write_off", "was": was,
    }  # fmt: skip
    assert (await desk.details(shown["id"]))[0] == edited
    after = await desk.show(shown["id"])
    assert (after["subtotal"], after["total"], after["version"]) == ("2800.00", "2800.00", shown["version"] + 1)
    (line,) = await desk.lines(shown["id"])
    assert (line["chargeable"], line["total"], line["details"]) == ("2800.00", "2800.00", 2)
    entry = (await desk.history(shown["id"]))[-1]
    assert (entry["action"], entry["by"], entry["reason"]) == ("details_edited", "biller", "agreed")
    assert entry["before"]["details"][0] == {
        "id": one["id"], "quantity": "8.00", "amount": "1600.00", "remainder": None,
        **{f"was_{name}": None for name in was},
    }  # fmt: skip
    assert entry["after"]["details"][0]["amount"] == "1200.00"


async def test_an_edit_takes_the_draft_out_of_review(desk: Desk) -> None:
    shown = await desk.draft(1)
    path = f"/v1/invoices/{shown['id']}"
    reviewed = (await desk.biller.patch(path, json={"status": "in_review"}, headers={"If-Match": "*"})).json()
    (one,) = await desk.details(shown["id"])
    await desk.edited(shown["id"], one["id"], external_description="Workshop")
    assert (await desk.show(shown["id"]))["status"] == "draft"
    assert (await desk.confirm(reviewed)).status_code == 412


async def test_an_edit_to_what_is_so_already_changes_nothing(desk: Desk) -> None:
    shown = await desk.draft(1)
    (one,) = await desk.details(shown["id"])
    assert await desk.edited(shown["id"], one["id"], quantity="8", price="200") == one
    assert await desk.show(shown["id"]) == shown


async def test_a_field_that_is_not_editable_is_named_with_those_that_are(desk: Desk) -> None:
    shown = await desk.draft(1)
    (one,) = await desk.details(shown["id"])
    answer = await desk.edit(shown["id"], one["id"], role="architect")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "/role", "detail": "cannot be edited on a time from the backlog",
            "allowed": ["billing_type", "quantity", "price", "tax", "remainder", "description", "external_description"],
        }
    ]  # fmt: skip
    assert await desk.show(shown["id"]) == shown


async def test_an_edit_of_what_one_has_not_seen_is_refused(desk: Desk) -> None:
    shown = await desk.draft(1)
    (one,) = await desk.details(shown["id"])
    path = f"/v1/invoices/{shown['id']}/details"
    stale = {"If-Match": f'"{shown["version"] - 1}"'}
    assert (await desk.biller.patch(f"{path}/{one['id']}", json={"tax": "1"})).status_code == 428
    assert (await desk.biller.patch(f"{path}/{one['id']}", json={"tax": "1"}, headers=stale)).status_code == 412
    many = {"ids": [one["id"]], "tax": "1"}
    assert (await desk.biller.post(f"{path}/update", json=many, headers=stale)).status_code == 412
    hand = {"class": "time", "contract_line_id": one["contract_line_id"], "date": "2026-03-01", "quantity": "1",
            "price": "1"}  # fmt: skip
    assert (await desk.biller.post(path, json=hand, headers=stale)).status_code == 412
    assert (await desk.edit(shown["id"], str(uuid.uuid4()), tax="1")).status_code == 404
    assert await desk.show(shown["id"]) == shown


async def test_only_editors_edit(desk: Desk) -> None:
    shown = await desk.draft(1)
    (one,) = await desk.details(shown["id"])
    approver = desk.api.as_("approver")
    path = f"/v1/invoices/{shown['id']}/details"
    for answer in (
        await approver.patch(f"{path}/{one['id']}", json={"tax": "1"}, headers={"If-Match": "*"}),
        await approver.post(f"{path}/update", json={"ids": [one["id"]], "tax": "1"}),
        await approver.post(path, json=[]),
    ):
        assert answer.status_code == 403


async def test_many_are_edited_each_as_far_as_it_goes(desk: Desk) -> None:
    claim = Claiming()
    milestone = item(claim.lines[0], "1", "500", item_class="milestone", source="milestone", entry_id=None)
    await desk.deliver(*claim.with_items(item(claim.lines[0]), item(claim.lines[0]), milestone).chunks())
    one, two, stone = (detail["id"] for detail in await desk.details(claim.id))
    unknown = str(uuid.uuid4())
    items = [
        {"id": one, "quantity": "7", "reason": "a"}, {"id": two, "quantity": "8"}, {"id": stone, "quantity": "2"},
        {"id": unknown, "tax": "1"},
    ]  # fmt: skip
    answer = await desk.biller.post(f"/v1/invoices/{claim.id}/details/update", json={"items": items})
    body = answer.json()
    assert (body["changed"], body["unchanged"]) == (1, 1)
    assert [(one["id"], one["reason"]) for one in body["refused"]] == [(stone, "wrong_state"), (unknown, "not_found")]
    assert "quantity" in body["refused"][0]["detail"]
    assert (await desk.show(claim.id))["total"] == "3500.00"
    assert (await desk.history(claim.id))[-1]["reason"] == "a"


async def test_one_edit_for_many(desk: Desk) -> None:
    shown = await desk.draft(3)
    ids = [detail["id"] for detail in await desk.details(shown["id"])]
    path = f"/v1/invoices/{shown['id']}/details/update"
    answer = await desk.biller.post(path, json={"ids": [*ids[:2], ids[0]], "billing_type": "complimentary"})
    assert answer.json() == {"changed": 2, "unchanged": 0, "refused": []}
    after = await desk.show(shown["id"])
    assert (after["total"], after["version"]) == ("1600.00", shown["version"] + 1)
    (line,) = await desk.lines(shown["id"])
    assert (line["chargeable"], line["complimentary"]) == ("1600.00", "3200.00")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tax": "1"},
        {"ids": [], "tax": "1"},
        {"ids": [str(uuid.uuid4())] * 1001, "tax": "1"},
        {"ids": [str(uuid.uuid4())], "items": [{"id": str(uuid.uuid4())}]},
        {"items": [{"id": str(uuid.UUID(int=1))}, {"id": str(uuid.UUID(int=1))}]},
        {"items": [{"id": str(uuid.UUID(int=1))}], "tax": "1"},
        {"ids": [str(uuid.uuid4())], "tax": "-1"},
        {"ids": [str(uuid.uuid4())], "remainder": None},
        {"ids": [str(uuid.uuid4())], "filter": {}, "tax": "1"},
        {"filter": {"status": "draft"}, "tax": "1"},
    ],
)
async def test_bulk_bodies_that_cannot_be(desk: Desk, body: dict[str, Any]) -> None:
    shown = await desk.draft(1)
    assert (await desk.biller.post(f"/v1/invoices/{shown['id']}/details/update", json=body)).status_code == 422


async def test_work_is_added_by_hand_edited_and_removed(desk: Desk) -> None:
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    path = f"/v1/invoices/{claim.id}/details"
    hand = {"class": "time", "contract_line_id": str(claim.lines[0]), "date": "2026-03-01", "quantity": "3",
            "price": "200", "tax": "60.00", "role": "developer"}  # fmt: skip
    answer = await desk.biller.post(path, json=hand)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"3"')
    added = answer.json()
    assert (added["source"], added["unit"], added["amount"], added["billing_type"]) == (
        "hand", "hour", "600.00", "chargeable",
    )  # fmt: skip
    assert (added["item_id"], added["claim_id"], added["was"], added["tax"]) == (None, None, None, "60.00")
    assert (await desk.show(claim.id))["total"] == "2260.00"
    edited = await desk.edited(claim.id, added["id"], quantity="1.50", date="2026-02-28", unit="day", task="T2")
    assert (edited["amount"], edited["tax"], edited["unit"], edited["was"]) == ("300.00", "30.00", "day", None)
    assert (await desk.show(claim.id))["total"] == "1930.00"
    assert (await desk.biller.delete(f"{path}/{added['id']}", headers={"If-Match": "*"})).status_code == 204
    assert (await desk.show(claim.id))["total"] == "1600.00"
    assert await desk.said("details.released") == []


async def test_what_is_added_by_hand_is_added_once(desk: Desk) -> None:
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    one = {"class": "expense", "contract_line_id": str(claim.lines[0]), "date": "2026-03-01", "quantity": "1",
           "price": "9.99"}  # fmt: skip
    path, key = f"/v1/invoices/{claim.id}/details", {"Idempotency-Key": "k1"}
    first = await desk.biller.post(path, json=[one, {**one, "billing_type": "complimentary"}], headers=key)
    assert [added["unit"] for added in first.json()["items"]] == ["each", "each"]
    # As after the days for which answers are kept.
    await desk.sql("delete from idempotency_keys")
    second = await desk.biller.post(path, json=[one, {**one, "billing_type": "complimentary"}], headers=key)
    assert second.json() == first.json()
    shown = await desk.show(claim.id)
    assert (shown["details"], shown["total"]) == (3, "1609.99")


@pytest.mark.parametrize(
    ("method", "includes", "item_class", "status"),
    [
        ("time_and_material", ["time", "expense", "material", "fee"], "fee", 201),
        ("time_and_material", ["time", "expense", "material", "fee"], "material", 201),
        ("time_and_material", ["time"], "time", 201),
        ("time_and_material", ["time"], "expense", 409),
        ("time_and_material", [], "time", 409),
        ("fixed_price", ["time", "fee"], "time", 201),
        ("fixed_price", ["time", "fee"], "fee", 409),
    ],
)
async def test_a_class_that_the_line_does_not_include_is_refused(
    desk: Desk, method: Any, includes: list[str], item_class: str, status: int
) -> None:
    claim = claiming(1, billing_method=method, includes=tuple(includes))
    await desk.deliver(*claim.chunks())
    hand = {"class": item_class, "contract_line_id": str(claim.lines[0]), "date": "2026-03-01", "quantity": "1",
            "price": "300"}  # fmt: skip
    answer = await desk.biller.post(f"/v1/invoices/{claim.id}/details", json=[hand])
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["reason"] == "class_not_included"
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/0/class"]


async def test_hand_added_details_that_cannot_be(desk: Desk) -> None:
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    path = f"/v1/invoices/{claim.id}/details"
    hand = {"class": "time", "contract_line_id": str(claim.lines[0]), "date": "2026-03-01", "quantity": "1",
            "price": "1"}  # fmt: skip
    for wrong, pointer in (
        ({"contract_line_id": str(uuid.uuid4())}, "/1/contract_line_id"),
        ({"tax": "0.001"}, "/1/tax"),
        ({"tax": "1", "billing_type": "non_chargeable"}, "/1/tax"),
        ({"quantity": "0"}, "/1/quantity"),
        ({"class": "milestone"}, "/1/class"),
    ):
        answer = await desk.biller.post(path, json=[hand, {**hand, **wrong}])
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, [pointer])
    too_much = await desk.biller.post(path, json={**hand, "quantity": "1000000", "price": "1000000000"})
    assert (too_much.status_code, too_much.json()["reason"]) == (409, "limit_exceeded")
    assert (await desk.show(claim.id))["details"] == 1


async def test_edits_are_in_the_currency(desk: Desk) -> None:
    shown = await desk.draft(1, currency="JPY")
    (one,) = await desk.details(shown["id"])
    assert (await desk.edit(shown["id"], one["id"], tax="0.5")).status_code == 422
    assert Decimal((await desk.edited(shown["id"], one["id"], price="33.3333"))["amount"]) == 267
