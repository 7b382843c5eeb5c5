"""Correcting and voiding over HTTP."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from proforma.events.invoicing import InvoiceConfirmed, returned_item_id
from tests.invoicing.claimed import Claiming, Desk, item

D = Decimal


async def test_a_corrective_begins_with_every_detail_at_zero(desk: Desk) -> None:
    original = await desk.billed(2)
    answer = await desk.manager.post(
        f"/v1/invoices/{original['id']}/correct", json={"reason": "wrong hours"},
        headers={"If-Match": f'"{original["version"]}"'},
    )  # fmt: skip
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["etag"] == f'"{made["version"]}"'
    same = ("contract_id", "contract_name", "customer", "currency", "lines", "details")
    assert {name: made[name] for name in same} == {name: original[name] for name in same}
    assert (made["kind"], made["status"], made["original_id"], made["run_id"], made["number"]) == (
        "corrective", "draft", original["id"], None, None,
    )  # fmt: skip
    assert (made["subtotal"], made["tax"], made["total"]) == ("-3200.00", "0.00", "-3200.00")
    (line,) = await desk.lines(made["id"])
    assert (line["name"], line["chargeable"], line["total"], line["details"]) == ("Line 1", "-3200.00", "-3200.00", 2)
    for before, now in zip(await desk.details(original["id"]), await desk.details(made["id"]), strict=True):
        changed = {name: value for name, value in now.items() if before[name] != value}
        assert changed.pop("id")
        assert changed == {
            "claim_id": None, "quantity": "0.00", "amount": "0.00", "original_detail_id": before["id"],
            "original_quantity": "8.00", "original_amount": "1600.00", "delta_amount": "-1600.00",
            "was": {"quantity": "8.00", "price": "200.00", "amount": "1600.00", "tax": "0.00",
                    "billing_type": "chargeable"},
        }  # fmt: skip
    assert await desk.show(original["id"]) == original
    assert [(one["action"], one["reason"]) for one in await desk.history(made["id"])] == [("opened", "wrong hours")]
    assert (await desk.history(original["id"]))[-1]["after"] == {"corrective_id": made["id"]}


# 8 x 200: what should be billed, and what the corrective adds (domain §3.5).
@pytest.mark.parametrize(
    ("quantity", "amount", "delta"),
    [("0", "0.00", "-1600.00"), ("6", "1200.00", "-400.00"), ("10", "2000.00", "400.00")],
)
async def test_the_ledger_is_told_what_was_and_what_is(desk: Desk, quantity: str, amount: str, delta: str) -> None:
    original = await desk.billed(2)
    before, kept = await desk.details(original["id"])
    draft = await desk.corrective(original["id"])
    first, second = await desk.details(draft["id"])
    edited = await desk.edited(draft["id"], first["id"], quantity=quantity)
    assert (edited["amount"], edited["delta_amount"]) == (amount, delta)
    assert (await desk.edited(draft["id"], second["id"], quantity="8"))["delta_amount"] == "0.00"
    assert (await desk.show(draft["id"]))["total"] == delta
    shown = (await desk.confirm(await desk.show(draft["id"]))).json()
    assert (shown["number"], shown["total"], shown["details"]) == ("PF-2026-000002", delta, 1)
    told = InvoiceConfirmed.model_validate((await desk.said("invoice.confirmed"))[-1])
    assert (told.kind, str(told.original_id), told.run_id) == ("corrective", original["id"], None)
    (one,) = told.details
    assert (str(one.detail_id), str(one.original_detail_id), str(one.item_id), one.claim_id) == (
        first["id"], before["id"], before["item_id"], None,
    )  # fmt: skip
    assert (one.source, one.remainder, one.written_off_from, one.coding) == ("backlog", None, None, None)
    assert one.was is not None
    assert (str(one.was.quantity), str(one.was.amount)) == ("8.00", "1600.00")
    assert (one.now.quantity, str(one.now.amount)) == (D(quantity), amount)
    assert (told.totals.count, told.totals.quantity, str(told.totals.amount)) == (1, D(quantity), amount)
    replaced, stays = await desk.details(original["id"])
    assert replaced["replaced_by"] == {"invoice_id": draft["id"], "detail_id": first["id"]}
    assert stays == kept
    assert (await desk.posted(shown))["posting"] == "posted"


async def test_a_corrective_without_a_change_is_refused(desk: Desk) -> None:
    original = await desk.billed(1)
    draft = await desk.corrective(original["id"])
    (one,) = await desk.details(draft["id"])
    await desk.edited(draft["id"], one["id"], quantity="8", external_description="other words")
    shown = await desk.show(draft["id"])
    answer = await desk.confirm(shown)
    assert (answer.status_code, answer.json()["reason"]) == (409, "no_details")
    items = [{"id": shown["id"], "version": shown["version"]}]
    many = (await desk.manager.post("/v1/invoices/confirm", json={"items": items})).json()
    assert (many["changed"], [one["reason"] for one in many["refused"]]) == (0, ["no_details"])
    assert await desk.show(draft["id"]) == shown
    # What equals its original is not held by a corrective that changes something else either.
    assert (await desk.act("discard", draft["id"])).status_code == 200
    assert (await desk.act("correct", original["id"])).status_code == 201


async def test_chosen_details_are_corrected(desk: Desk) -> None:
    original = await desk.billed(3)
    ids = [detail["id"] for detail in await desk.details(original["id"])]
    draft = await desk.corrective(original["id"], detail_ids=[ids[1], ids[1]])
    assert [one["original_detail_id"] for one in await desk.details(draft["id"])] == [ids[1]]
    assert draft["total"] == "-1600.00"
    for wanted in ({"detail_ids": [ids[1]]}, {"detail_ids": ids[:2]}, {}):
        answer = await desk.act("correct", original["id"], **wanted)
        assert (answer.status_code, answer.json()["reason"], answer.json()["corrective_id"]) == (
            409, "on_corrective", draft["id"],
        )  # fmt: skip
    assert (await desk.act("correct", original["id"], detail_ids=[ids[0]])).status_code == 201
    unknown = await desk.act("correct", original["id"], detail_ids=[ids[2], str(uuid.uuid4())])
    assert unknown.status_code == 404
    assert (await desk.act("correct", original["id"], detail_ids=[])).status_code == 422
    assert (await desk.act("correct", original["id"], detail_ids=[str(uuid.uuid4())] * 1001)).status_code == 422


async def test_a_detail_off_a_corrective_stays_billed_and_is_free_again(desk: Desk) -> None:
    original = await desk.billed(2)
    draft = await desk.corrective(original["id"])
    one, two = await desk.details(draft["id"])
    path = f"/v1/invoices/{draft['id']}/details/{one['id']}"
    assert (await desk.biller.delete(path, headers={"If-Match": "*"})).status_code == 204
    shown = await desk.show(draft["id"])
    assert (shown["total"], shown["details"]) == ("-1600.00", 1)
    assert await desk.said("details.released") == []
    assert (await desk.confirm(shown)).status_code == 200
    free, replaced = await desk.details(original["id"])
    assert (free["replaced_by"], replaced["replaced_by"]["detail_id"]) == (None, two["id"])
    again = await desk.corrective(original["id"])
    assert [one["original_detail_id"] for one in await desk.details(again["id"])] == [free["id"]]


async def test_a_discarded_corrective_frees_its_details(desk: Desk) -> None:
    original = await desk.billed(2)
    draft = await desk.corrective(original["id"])
    shown = (await desk.act("discard", draft["id"])).json()
    assert (shown["status"], shown["details"], shown["total"]) == ("discarded", 0, "0.00")
    assert await desk.details(draft["id"]) == []
    (line,) = await desk.lines(draft["id"])
    assert (line["details"], line["total"]) == (0, "0.00")
    assert [body["claims"] for body in await desk.said("invoice.discarded")] == [[]]
    assert (await desk.corrective(original["id"]))["total"] == "-3200.00"


async def test_nothing_is_added_to_a_corrective_by_hand(desk: Desk) -> None:
    original = await desk.billed(1)
    draft = await desk.corrective(original["id"])
    (line,) = await desk.lines(draft["id"])
    hand = {"class": "time", "contract_line_id": line["contract_line_id"], "date": "2026-03-01", "quantity": "1",
            "price": "1"}  # fmt: skip
    answer = await desk.biller.post(f"/v1/invoices/{draft['id']}/details", json=hand)
    assert (answer.status_code, answer.json()["reason"]) == (409, "wrong_state")


async def test_a_corrective_is_corrected_in_its_turn(desk: Desk) -> None:
    original = await desk.billed(2)
    first = await desk.corrective(original["id"])
    one, two = await desk.details(first["id"])
    await desk.edited(first["id"], one["id"], quantity="6")
    await desk.posted((await desk.confirm(await desk.show(first["id"]))).json())
    # The original has nothing live any more, the corrective the six hours.
    assert (await desk.act("correct", original["id"])).json()["reason"] == "wrong_state"
    second = await desk.corrective(first["id"])
    (only,) = await desk.details(second["id"])
    assert (only["original_detail_id"], only["original_quantity"], second["total"]) == (one["id"], "6.00", "-1200.00")
    # Two hours went back to the backlog: they are billed from there.
    answer = await desk.edit(second["id"], only["id"], quantity="6.01")
    assert answer.status_code == 409
    assert answer.json()["returned_item_id"] == str(returned_item_id(uuid.UUID(one["id"])))
    assert (await desk.edited(second["id"], only["id"], quantity="5"))["delta_amount"] == "-200.00"
    gone = await desk.act("correct", first["id"], detail_ids=[two["id"]])
    assert (gone.status_code, gone.json()["reason"]) == (409, "wrong_state")


@pytest.mark.parametrize(("remainder", "status"), [("return", 409), ("write_off", 200)])
async def test_what_was_returned_at_first_is_not_billed_twice(desk: Desk, remainder: str, status: int) -> None:
    draft = await desk.draft(1)
    (one,) = await desk.details(draft["id"])
    await desk.edited(draft["id"], one["id"], quantity="6", remainder=remainder)
    original = await desk.posted((await desk.confirm(await desk.show(draft["id"]))).json())
    corrective = await desk.corrective(original["id"], detail_ids=[one["id"]])
    (only,) = await desk.details(corrective["id"])
    assert (await desk.edit(corrective["id"], only["id"], quantity="6")).status_code == 200
    answer = await desk.edit(corrective["id"], only["id"], quantity="8")
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["returned_item_id"] == str(returned_item_id(uuid.UUID(one["id"])))


async def test_every_kind_of_detail_is_corrected(desk: Desk) -> None:
    claim = Claiming()
    line = claim.lines[0]
    claim.with_items(
        item(line, "1", "5000", item_class="milestone", source="milestone", entry_id=None, tax=D(1000)),
        item(line, "10", "50", item_class="product", source="product", entry_id=None),
        item(line, "8", "200", billing_type="non_chargeable"),
    )
    await desk.deliver(*claim.chunks())
    hand = {"class": "expense", "contract_line_id": str(line), "date": "2026-03-01", "quantity": "1", "price": "300"}
    assert (await desk.biller.post(f"/v1/invoices/{claim.id}/details", json=hand)).status_code == 201
    original = await desk.posted((await desk.confirm(await desk.show(claim.id))).json())
    assert original["total"] == "6800.00"
    draft = await desk.corrective(original["id"])
    assert (draft["subtotal"], draft["tax"], draft["total"]) == ("-5800.00", "-1000.00", "-6800.00")
    by_source = {one["class"]: one["id"] for one in await desk.details(draft["id"])}
    stone = await desk.edited(draft["id"], by_source["milestone"], amount="3000")
    assert (stone["quantity"], stone["price"], stone["tax"], stone["delta_amount"]) == (
        "1.00", "3000.00", "600.00", "-2000.00",
    )  # fmt: skip
    part = await desk.edited(draft["id"], by_source["product"], amount="333.33")
    assert (part["quantity"], part["price"]) == ("10.00", "33.333")
    free = await desk.edited(draft["id"], by_source["time"], quantity="6")
    assert (free["tax"], free["delta_amount"]) == ("0.00", "-400.00")
    own = await desk.edited(draft["id"], by_source["expense"], quantity="2")
    assert own["amount"] == "600.00"
    shown = await desk.show(draft["id"])
    assert (shown["subtotal"], shown["tax"]) == ("-1866.67", "-400.00")
    (row,) = await desk.lines(draft["id"])
    assert (row["chargeable"], row["non_chargeable"]) == ("-1866.67", "-400.00")
    assert (await desk.confirm(shown)).status_code == 200
    told = InvoiceConfirmed.model_validate((await desk.said("invoice.confirmed"))[-1])
    assert {one.source for one in told.details} == {"milestone", "product", "backlog", "hand"}
    assert all(one.was is not None and one.coding is None for one in told.details)


async def test_void_takes_everything_back_in_one(desk: Desk) -> None:
    draft = await desk.draft(2)
    (one, _) = await desk.details(draft["id"])
    await desk.edited(draft["id"], one["id"], quantity="6")
    original = await desk.posted((await desk.confirm(await desk.show(draft["id"]))).json())
    assert (original["details"], original["total"]) == (3, "2800.00")
    answer = await desk.act("void", original["id"], reason="wrong customer")
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["kind"], shown["status"], shown["number"], shown["total"], shown["posting"]) == (
        "corrective", "confirmed", "PF-2026-000002", "-2800.00", "pending",
    )  # fmt: skip
    told = InvoiceConfirmed.model_validate((await desk.said("invoice.confirmed"))[-1])
    assert (told.totals.count, told.totals.quantity, told.totals.amount) == (3, D(0), D(0))
    assert all(one["replaced_by"]["invoice_id"] == shown["id"] for one in await desk.details(original["id"]))
    assert {entry["action"] for entry in await desk.history(shown["id"])} == {"opened", "confirmed"}
    again = await desk.act("void", original["id"])
    assert (again.status_code, again.json()["reason"]) == (409, "wrong_state")
    assert await desk.said("details.released") == []


async def test_the_same_call_makes_one_corrective(desk: Desk) -> None:
    original = await desk.billed(1)
    headers = {"If-Match": f'"{original["version"]}"', "Idempotency-Key": "k"}
    path = f"/v1/invoices/{original['id']}/void"
    first = await desk.manager.post(path, headers=headers)
    # As after the days for which answers are kept; the version has moved on as well.
    await desk.sql("delete from idempotency_keys")
    second = await desk.manager.post(path, headers=headers)
    assert (second.status_code, second.json()) == (201, first.json())


async def test_who_may_correct_and_with_which_precondition(desk: Desk) -> None:
    original = await desk.billed(1)
    for verb in ("correct", "void", "mark-paid"):
        path = f"/v1/invoices/{original['id']}/{verb}"
        assert (await desk.biller.post(path, headers={"If-Match": "*"})).status_code == 403
        assert (await desk.manager.post(path)).status_code == 428
        assert (await desk.manager.post(path, headers={"If-Match": '"1"'})).status_code == 412
        unknown = f"/v1/invoices/{uuid.uuid4()}/{verb}"
        assert (await desk.manager.post(unknown, headers={"If-Match": "*"})).status_code == 404


@pytest.mark.parametrize("verb", ["correct", "void"])
async def test_what_the_ledger_does_not_have_yet_is_not_corrected(desk: Desk, verb: str) -> None:
    invoice: dict[str, Any] = await desk.confirmed(1)
    answer = await desk.act(verb, invoice["id"])
    assert (answer.status_code, answer.json()["reason"], answer.json()["posting"]) == (
        409,
        "posting_pending",
        "pending",
    )
