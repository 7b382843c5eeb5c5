"""What the ledger is told of edited invoices: every figure was and is, and rests as details of their own."""

from decimal import Decimal
from typing import Any

import pytest

from proforma.events.invoicing import ConfirmedDetail, DetailFigures, InvoiceConfirmed
from proforma.money import kept_and_rest, tax_kept_and_rest
from tests.invoicing.claimed import Claiming, Desk, claiming, item
from tests.invoicing.conftest import MakeDesk

D = Decimal


async def told(desk: Desk) -> list[ConfirmedDetail]:
    return [
        one
        for body in await desk.said("invoice.confirmed")
        for one in InvoiceConfirmed.model_validate(body).details
    ]  # fmt: skip


def figures(of: DetailFigures | None) -> tuple[str, ...]:
    assert of is not None
    return (*(str(value) for value in (of.quantity, of.price, of.amount, of.tax)), of.billing_type)


async def confirmed(desk: Desk, invoice_id: Any) -> dict[str, Any]:
    answer = await desk.confirm(await desk.show(invoice_id))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_written_off_rest_is_a_detail_of_its_own(desk: Desk) -> None:
    claim = Claiming()
    await desk.deliver(*claim.with_items(item(claim.lines[0], tax=D("80.00"))).chunks())
    (one,) = await desk.details(claim.id)
    await desk.edited(claim.id, one["id"], quantity="6.00")
    shown = await confirmed(desk, claim.id)
    assert (shown["subtotal"], shown["tax"], shown["details"]) == ("1200.00", "60.00", 2)
    kept, rest = await desk.details(claim.id)
    differs = {name for name, value in rest.items() if kept[name] != value}
    assert differs == {"id", "quantity", "amount", "tax", "billing_type", "was", "remainder", "written_off_from"}
    assert (rest["quantity"], rest["amount"], rest["tax"], rest["billing_type"]) == (
        "2.00", "400.00", "0.00", "non_chargeable",
    )  # fmt: skip
    assert rest["written_off_from"] == kept["id"]
    (line,) = await desk.lines(claim.id)
    assert (line["chargeable"], line["non_chargeable"], line["tax"], line["details"]) == (
        "1200.00", "400.00", "60.00", 2,
    )  # fmt: skip
    (body,) = await desk.said("invoice.confirmed")
    assert body["totals"] == {"count": 2, "quantity": "8.00", "amount": "1600.00", "tax": "60.00"}
    first, second = await told(desk)
    assert (str(first.detail_id), first.remainder, first.written_off_from) == (kept["id"], "write_off", None)
    assert figures(first.was) == ("8.00", "200.00", "1600.00", "80.00", "chargeable")
    assert figures(first.now) == ("6.00", "200.00", "1200.00", "60.00", "chargeable")
    assert (second.written_off_from, second.item_id, second.claim_id) == (
        first.detail_id, first.item_id, first.claim_id,
    )  # fmt: skip
    assert figures(second.was) == ("2.00", "200.00", "400.00", "20.00", "chargeable")
    assert figures(second.now) == ("2.00", "200.00", "400.00", "0.00", "non_chargeable")


async def test_a_returned_rest_is_no_detail(desk: Desk) -> None:
    shown = await desk.draft(1)
    (one,) = await desk.details(shown["id"])
    await desk.edited(shown["id"], one["id"], quantity="6.00", remainder="return")
    assert (await confirmed(desk, shown["id"]))["details"] == 1
    (only,) = await told(desk)
    assert (only.remainder, str(only.now.quantity)) == ("return", "6.00")


@pytest.mark.parametrize(
    ("fields", "now"),
    [
        ({"quantity": "10"}, ("10.00", "200.00", "2000.00", "0.00", "chargeable")),
        ({"price": "150.1255"}, ("8.00", "150.1255", "1201.00", "0.00", "chargeable")),
        ({"billing_type": "non_chargeable"}, ("8.00", "200.00", "1600.00", "0.00", "non_chargeable")),
    ],
)
async def test_other_edits_leave_no_rest(desk: Desk, fields: dict[str, str], now: tuple[str, ...]) -> None:
    shown = await desk.draft(1)
    (one,) = await desk.details(shown["id"])
    await desk.edited(shown["id"], one["id"], **fields)
    await confirmed(desk, shown["id"])
    (only,) = await told(desk)
    assert figures(only.was) == ("8.00", "200.00", "1600.00", "0.00", "chargeable")
    assert figures(only.now) == now
    assert only.remainder is None


async def test_the_ledger_is_told_all_of_what_was_added_by_hand(desk: Desk) -> None:
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    hand = {"class": "time", "contract_line_id": str(claim.lines[0]), "date": "2026-03-01", "quantity": "3",
            "price": "200", "role": "developer", "resource": "ann", "external_description": 'a "b"\n'}  # fmt: skip
    added = (await desk.biller.post(f"/v1/invoices/{claim.id}/details", json=hand)).json()
    await confirmed(desk, claim.id)
    claimed, own = await told(desk)
    assert (claimed.coding, claimed.was) == (None, claimed.now)
    assert (str(own.detail_id), own.source, own.was, own.item_id, own.claim_id) == (
        added["id"], "hand", None, None, None,
    )  # fmt: skip
    assert own.coding is not None
    assert own.coding.model_dump(exclude_none=True) == {
        "date": claim.run_date.replace(day=1), "unit": "hour", "role": "developer", "resource": "ann",
        "external_description": 'a "b"\n',
    }  # fmt: skip


async def test_a_rest_travels_with_its_detail(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits={"event_list_max": 3})
    shown = await desk.draft(7)
    ids = [detail["id"] for detail in await desk.details(shown["id"])]
    items = [{"id": one, "quantity": "1"} for one in (ids[2], ids[5])]
    await desk.biller.post(f"/v1/invoices/{shown['id']}/details/update", json={"items": items})
    assert (await confirmed(desk, shown["id"]))["details"] == 9
    bodies = await desk.said("invoice.confirmed")
    assert [body["chunk"] for body in bodies] == list(range(1, len(bodies) + 1))
    assert {body["chunks"] for body in bodies} == {len(bodies)}
    assert sum(len(body["details"]) for body in bodies) == 9
    for body in bodies:
        here = {one["detail_id"] for one in body["details"]}
        assert len(here) <= 3
        assert {one["written_off_from"] for one in body["details"] if one.get("written_off_from")} <= here
    await desk.admin.post(f"/v1/waiting/{shown['id']}/ask")
    assert (await desk.said("invoice.confirmed"))[len(bodies) :] == bodies


async def test_details_with_long_texts_are_told_in_more_chunks(desk: Desk) -> None:
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    hand = {"class": "time", "contract_line_id": str(claim.lines[0]), "date": "2026-03-01", "quantity": "3",
            "price": "200", "description": '"' * 2000, "external_description": "é" * 2000}  # fmt: skip
    answer = await desk.biller.post(f"/v1/invoices/{claim.id}/details", json=[hand] * 300)
    assert answer.status_code == 201
    await confirmed(desk, claim.id)
    bodies = await desk.said("invoice.confirmed")
    assert sum(len(body["details"]) for body in bodies) == 301
    assert [body["chunk"] for body in bodies] == list(range(1, bodies[0]["chunks"] + 1))
    (row,) = await desk.sql("select max(octet_length(body)) as bytes from outbox")
    assert row["bytes"] < desk.runtime.settings.limits.event_bytes_max


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
async def test_kept_and_rest_add_up_as_the_kernel_says(desk: Desk, currency: str) -> None:
    claim = Claiming(currency=currency)
    quantities, prices = ("0.03", "1.00", "7.25", "999.99"), ("0.5000", "1.3333", "120.1250", "0.0050")
    for quantity in quantities:
        claim.with_items(*(item(claim.lines[0], quantity, price, currency=currency, tax=D(7)) for price in prices))
    await desk.deliver(*claim.chunks())
    details = await desk.details(claim.id)
    items = [{"id": one["id"], "quantity": str((D(one["quantity"]) / 3).quantize(D("0.01")))} for one in details]
    await desk.biller.post(f"/v1/invoices/{claim.id}/details/update", json={"items": items})
    await confirmed(desk, claim.id)
    after = {one["id"]: one for one in await desk.details(claim.id)}
    rests = {one["written_off_from"]: one for one in after.values() if one["written_off_from"]}
    assert len(rests) == 16
    for one in details:
        kept, rest = after[one["id"]], rests[one["id"]]
        whole = {name: D(one[name]) for name in ("amount", "quantity", "price")}
        left = D(kept["quantity"])
        amounts = kept_and_rest(whole["amount"], whole["quantity"], whole["price"], left, currency)
        assert (D(kept["amount"]), D(rest["amount"])) == amounts
        taxes = tax_kept_and_rest(D(7), whole["quantity"], left, currency)
        assert (D(kept["tax"]), D(rest["was"]["tax"])) == taxes
