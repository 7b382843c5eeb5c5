"""What billers and managers do with drafts and invoices."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.model.books import Detail, Figures, Invoice, cents
from tests.model.play import BILLING_TYPES, Play, adopt, decimal, pick


async def claim(play: Play, n: int, m: int) -> None:
    """A biller drafts: everything that is ready is on one new draft, or there is none."""
    ready = [key for key, one in play.books.items.items() if one.status == "ready"]
    path = f"/v1/contracts/{play.contract_id}/create-invoice"
    run = await play.world.ok("billing-backlog", "POST", path, "biller", json={})
    await play.world.settle()
    assert run["status"] == ("claimed" if ready else "skipped")
    if not ready:
        return
    page = await play.world.ok("invoicing", "GET", f"/v1/invoices?run_id={run['id']}", "biller")
    (draft,) = page["items"]
    details = await details_of(play, draft["id"])
    assert {one["item_id"] for one in details} == set(ready)
    play.books.invoices[draft["id"]] = Invoice("invoice", "draft")
    for one in details:
        item = play.books.items[one["item_id"]]
        item.status, item.held_by = "on_invoice", draft["id"]
        detail = Detail(item.entry, item.figures, item.figures, item=one["item_id"])
        play.books.invoices[draft["id"]].details[one["id"]] = detail


async def details_of(play: Play, invoice_id: str) -> list[dict[str, Any]]:
    page = await play.world.ok("invoicing", "GET", f"/v1/invoices/{invoice_id}/details?limit=1000", "biller")
    found: list[dict[str, Any]] = page["items"]
    return found


def drafts(play: Play) -> list[str]:
    return [key for key, one in play.books.invoices.items() if one.status == "draft"]


async def edit(play: Play, n: int, m: int) -> None:
    """A biller changes a detail of a draft: quantity, price or billing type."""
    some = [(key, one) for key in drafts(play) for one in play.books.invoices[key].details]
    if not some:
        return
    invoice_id, detail_id = pick(some, n)
    invoice = play.books.invoices[invoice_id]
    detail = invoice.details[detail_id]
    corrective = invoice.kind == "corrective"
    quantity = m % 3_000 + (0 if corrective else 1)
    change: dict[str, Any] = {"quantity": decimal(quantity)}
    now = replace(detail.now, quantity=quantity)
    if m % 4 == 1:
        now = replace(now, price=m % 5_000_000)
        change["price"] = f"{Decimal(now.price) / 10_000:.4f}"
    if m % 4 == 2 and not corrective:
        now = replace(now, billing_type=BILLING_TYPES[m % 3])
        change["billing_type"] = now.billing_type
    if detail.was and not corrective and quantity < detail.was.quantity:
        change["remainder"] = detail.remainder = ("write_off", "return")[m // 4 % 2]
    path = f"/v1/invoices/{invoice_id}/details/{detail_id}"
    answer = await play.world.call("invoicing", "PATCH", path, "biller", json=change)
    if corrective and detail.was and detail.gave_back and quantity > detail.was.quantity:
        assert answer.status_code == 409, answer.text
        return
    assert answer.status_code == 200, answer.text
    amount = cents(now.quantity, now.price)
    if detail.was and detail.was.price == now.price and now.quantity <= detail.was.quantity:
        amount = detail.was.amount if now.quantity == detail.was.quantity else detail.was.part(now.quantity)
    detail.now = replace(now, amount=amount)


async def remove(play: Play, n: int, m: int) -> None:
    """A detail leaves a draft: its item is ready again; of a corrective, its original stays billed."""
    some = [(key, one) for key in drafts(play) for one in play.books.invoices[key].details]
    if not some:
        return
    invoice_id, detail_id = pick(some, n)
    await play.world.ok("invoicing", "DELETE", f"/v1/invoices/{invoice_id}/details/{detail_id}", "biller")
    await play.world.settle()
    play.books.release(play.books.invoices[invoice_id].details.pop(detail_id))


async def discard(play: Play, n: int, m: int) -> None:
    if not drafts(play) or m % 3:
        return
    invoice_id = pick(drafts(play), n)
    await play.world.ok("invoicing", "POST", f"/v1/invoices/{invoice_id}/discard", "biller", json={})
    await play.world.settle()
    invoice = play.books.invoices[invoice_id]
    invoice.status = "discarded"
    for detail in invoice.details.values():
        play.books.release(detail)


async def add_by_hand(play: Play, n: int, m: int) -> None:
    some = [key for key in drafts(play) if play.books.invoices[key].kind == "invoice"]
    if not some:
        return
    invoice_id, quantity, price = pick(some, n), m % 1_000 + 1, m % 3_000_000
    body = {
        "class": "time", "contract_line_id": play.line_id, "date": "2026-02-03", "quantity": decimal(quantity),
        "price": f"{Decimal(price) / 10_000:.4f}",
    }  # fmt: skip
    made = await play.world.ok("invoicing", "POST", f"/v1/invoices/{invoice_id}/details", "biller", json=body)
    now = Figures(quantity, price, cents(quantity, price), "chargeable")
    play.books.invoices[invoice_id].details[made["id"]] = Detail(None, None, now, by_hand=True)


async def confirm(play: Play, n: int, m: int) -> None:
    """A manager confirms what they saw: one way."""
    if not drafts(play):
        return
    invoice_id = pick(drafts(play), n)
    invoice = play.books.invoices[invoice_id]
    path = f"/v1/invoices/{invoice_id}"
    seen = await play.world.ok("invoicing", "GET", path, "manager")
    tag = {"If-Match": f'"{seen["version"]}"'}
    answer = await play.world.call("invoicing", "POST", f"{path}/confirm", "manager", headers=tag)
    unchanged = all(one.now == one.was for one in invoice.details.values())
    if not invoice.details or (invoice.kind == "corrective" and unchanged):
        assert (answer.status_code, answer.json().get("reason")) == (409, "no_details"), answer.text
        return
    assert answer.status_code == 200, answer.text
    await play.world.settle()
    opened = play.books.confirm(invoice_id)
    invoice.status = "confirmed"
    await adopt(play, opened)


async def correct(play: Play, n: int, m: int) -> None:
    """A manager corrects an invoice: each of its live details, at zero, on a corrective draft."""
    some = [
        key for key, one in play.books.invoices.items()
        if one.status == "confirmed" and any(detail.live for detail in one.details.values())
    ]  # fmt: skip
    if not some:
        return
    original_id = pick(some, n)
    answer = await play.world.call("invoicing", "POST", f"/v1/invoices/{original_id}/correct", "manager", json={})
    taken = {one.original for key in drafts(play) for one in play.books.invoices[key].details.values()}
    live = {key: one for key, one in play.books.invoices[original_id].details.items() if one.live}
    names = {one["id"]: one for one in await details_of(play, original_id)}
    known = {key: one for key, one in live.items() if key in names}
    known |= {_written_off(names, live, key): one for key, one in live.items() if key not in names}
    play.books.invoices[original_id].details |= known
    for key in live.keys() - known.keys():
        del play.books.invoices[original_id].details[key]
    if taken & known.keys():
        assert (answer.status_code, answer.json().get("reason")) == (409, "on_corrective"), answer.text
        return
    assert answer.status_code < 300, answer.text
    draft = answer.json()
    play.books.invoices[draft["id"]] = Invoice("corrective", "draft")
    for one in await details_of(play, draft["id"]):
        before = known[one["original_detail_id"]]
        now = replace(before.now, quantity=0, amount=0)
        play.books.invoices[draft["id"]].details[one["id"]] = Detail(
            before.entry, before.now, now, item=before.item, original=one["original_detail_id"],
            by_hand=before.by_hand, gave_back=before.gave_back,
        )  # fmt: skip


def _written_off(names: Mapping[str, Mapping[str, Any]], live: Mapping[str, Detail], key: str) -> str:
    """The id that invoicing gave to what the books know as written off from a detail."""
    parent = key.removeprefix("written off from ")
    return next(one for one, shown in names.items() if shown["written_off_from"] == parent)
