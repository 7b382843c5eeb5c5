"""Stored totals are the sums of the details after any edits, on drafts and on correctives, in every currency."""

import random
from decimal import Decimal
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proforma.money import minor_units
from tests.invoicing.claimed import Claiming, Desk, item

D = Decimal
CENT, PRICE = D("0.01"), D("0.0001")
SOURCES = ("backlog", "backlog", "backlog", "milestone", "product")


def hand(line: Any, dice: random.Random) -> dict[str, str]:
    return {"class": dice.choice(["time", "expense"]), "contract_line_id": str(line), "date": "2026-03-01",
            "quantity": amount(dice, 50, CENT), "price": amount(dice, 300, PRICE),
            "billing_type": dice.choice(["chargeable", "non_chargeable", "complimentary"])}  # fmt: skip


def amount(dice: random.Random, most: int, unit: Decimal, least: int = 1) -> str:
    return format(D(dice.randint(least, int(most / unit))) * unit, "f")


def wish(one: dict[str, Any], dice: random.Random, tax_unit: Decimal) -> dict[str, str]:
    """An edit that may be possible, or not: a refused one must leave the totals right as well."""
    possible = {
        "quantity": amount(dice, 50, CENT, least=0), "price": amount(dice, 300, PRICE, least=0),
        "tax": amount(dice, 100, tax_unit, least=0), "billing_type": dice.choice(["chargeable", "complimentary"]),
        "remainder": dice.choice(["write_off", "return"]), "amount": amount(dice, 500, tax_unit, least=0),
    }  # fmt: skip
    if dice.random() < 0.2:
        possible["quantity"] = one["was"]["quantity"] if one["was"] else one["quantity"]
    return {name: possible[name] for name in dice.sample(sorted(possible), dice.randint(1, 3))}


async def assert_sums(desk: Desk, invoice_id: str) -> None:
    """Totals of lines and invoice, added up here from the details alone."""
    shown, details = await desk.show(invoice_id), await desk.details(invoice_id)
    sums: dict[tuple[str, str], Decimal] = {}
    for one in details:
        corrects = one["original_detail_id"] is not None
        adds = {name: D(one[name]) - (D(one["was"][name]) if corrects else 0) for name in ("amount", "tax")}
        for name, value in ((one["billing_type"], adds["amount"]), ("tax", adds["tax"])):
            if name != "tax" or one["billing_type"] == "chargeable":
                key = (one["contract_line_id"], name)
                sums[key] = sums.get(key, D(0)) + value
    for line in await desk.lines(invoice_id):
        own = {name: sums.get((line["contract_line_id"], name), D(0)) for name in
               ("chargeable", "non_chargeable", "complimentary", "tax")}  # fmt: skip
        assert {name: D(line[name]) for name in own} == own
        assert D(line["total"]) == own["chargeable"] + own["tax"]
        assert line["details"] == sum(one["contract_line_id"] == line["contract_line_id"] for one in details)
    subtotal = sum((value for (_, name), value in sums.items() if name == "chargeable"), D(0))
    tax = sum((value for (_, name), value in sums.items() if name == "tax"), D(0))
    assert (D(shown["subtotal"]), D(shown["tax"]), D(shown["total"])) == (subtotal, tax, subtotal + tax)
    assert shown["details"] == len(details)


async def edit_about(desk: Desk, invoice_id: str, dice: random.Random, unit: Decimal) -> None:
    """A few edits one by one, then many at once."""
    details = await desk.details(invoice_id)
    for one in dice.sample(details, min(3, len(details))):
        answer = await desk.edit(invoice_id, one["id"], **wish(one, dice, unit))
        assert answer.status_code in (200, 409, 422), answer.text
        await assert_sums(desk, invoice_id)
    items = [{"id": one["id"], **wish(one, dice, unit)} for one in await desk.details(invoice_id)]
    answer = await desk.biller.post(f"/v1/invoices/{invoice_id}/details/update", json={"items": items})
    assert answer.status_code == 200, answer.text
    await assert_sums(desk, invoice_id)
    # One stays: an invoice without a detail cannot be confirmed.
    gone = [one["id"] for one in details[1:] if dice.random() < 0.1]
    if gone:
        await desk.biller.post(f"/v1/invoices/{invoice_id}/details/remove", json={"ids": gone})
        await assert_sums(desk, invoice_id)


@settings(
    max_examples=6,
    deadline=None,
    # Shrinking would replay hundreds of invoices; an example is small enough to read as it is.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(["EUR", "JPY", "KWD"]), st.randoms(use_true_random=False))
async def test_totals_are_the_sums_after_any_edit(desk: Desk, currency: str, dice: random.Random) -> None:
    unit = D(1).scaleb(-minor_units(currency))
    claim = Claiming(currency=currency, lines=[uuid4() for _ in range(2)])
    for source in SOURCES:
        kind = {"backlog": "time"}.get(source, source)
        claim.with_items(
            item(dice.choice(claim.lines), amount(dice, 50, CENT), amount(dice, 300, PRICE), currency=currency,
                 source=source, item_class=kind, tax=D(amount(dice, 100, unit, least=0)))
        )  # fmt: skip
    await desk.deliver(*claim.chunks())
    added = [hand(dice.choice(claim.lines), dice) for _ in range(2)]
    assert (await desk.biller.post(f"/v1/invoices/{claim.id}/details", json=added)).status_code == 201
    await assert_sums(desk, str(claim.id))
    await edit_about(desk, str(claim.id), dice, unit)
    confirmed = await desk.confirm(await desk.show(claim.id))
    assert confirmed.status_code == 200, confirmed.text
    await assert_sums(desk, str(claim.id))
    original = await desk.posted(confirmed.json())
    draft = await desk.corrective(original["id"])
    await assert_sums(desk, draft["id"])
    await edit_about(desk, draft["id"], dice, unit)
    answer = await desk.confirm(await desk.show(draft["id"]))
    assert answer.status_code == 200 or answer.json()["reason"] == "no_details", answer.text
    await assert_sums(desk, draft["id"])
