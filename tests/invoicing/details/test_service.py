"""Stored totals are the sums of what is there, whatever came and went."""

import random
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proforma.events.billing_backlog import ClaimedItem
from tests.invoicing.claimed import Claiming, Desk, item

QUANTITIES = st.decimals("0.01", "1000", places=2)
PRICES = st.decimals("0", "999.9999", places=4)
TAXES = st.decimals("0", "500", places=2)
TYPES = st.sampled_from(["chargeable", "non_chargeable", "complimentary"])
ITEMS = st.lists(st.tuples(st.integers(0, 2), QUANTITIES, PRICES, TAXES, TYPES), min_size=1, max_size=12)


def independent(items: list[ClaimedItem]) -> dict[str, Any]:
    """What an invoice of these items must show, added up item by item."""
    lines: dict[UUID, dict[str, Decimal]] = {}
    for one in items:
        line = lines.setdefault(one.contract_line_id, {"chargeable": Decimal(0), "tax": Decimal(0), "free": Decimal(0)})
        line["chargeable" if one.billing_type == "chargeable" else "free"] += one.amount
        line["tax"] += one.tax if one.billing_type == "chargeable" else 0
    subtotal = sum((line["chargeable"] for line in lines.values()), Decimal(0))
    tax = sum((line["tax"] for line in lines.values()), Decimal(0))
    return {"lines": lines, "subtotal": subtotal, "tax": tax, "total": subtotal + tax, "details": len(items)}


async def assert_totals(desk: Desk, invoice_id: UUID, items: list[ClaimedItem]) -> None:
    expected, shown = independent(items), await desk.show(invoice_id)
    for name in ("subtotal", "tax", "total", "details"):
        assert Decimal(shown[name]) == expected[name], name
    for line in await desk.lines(invoice_id):
        sums = expected["lines"].get(UUID(line["contract_line_id"]), {"chargeable": 0, "tax": 0, "free": 0})
        assert Decimal(line["chargeable"]) == sums["chargeable"]
        assert Decimal(line["tax"]) == sums["tax"]
        assert Decimal(line["non_chargeable"]) + Decimal(line["complimentary"]) == sums["free"]
        assert Decimal(line["total"]) == sums["chargeable"] + sums["tax"]
    assert shown["lines"] == 3
    assert {detail["item_id"] for detail in await desk.details(invoice_id)} == {str(one.id) for one in items}


@settings(
    max_examples=8,
    deadline=None,
    # Shrinking would replay hundreds of drafts; an example is small enough to read as it is.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(ITEMS, min_size=1, max_size=3), st.integers(1, 5), st.randoms(use_true_random=False))
async def test_totals_are_the_sums_after_any_coming_and_going(
    desk: Desk, claimed: list[list[Any]], size: int, dice: random.Random
) -> None:
    first = Claiming(lines=[uuid4() for _ in range(3)])
    claims = [first, *(first.again() for _ in claimed[1:])]
    there: dict[UUID, list[ClaimedItem]] = {}
    for claim, items in zip(claims, claimed, strict=True):
        for line, quantity, price, tax, kind in items:
            claim.with_items(item(claim.lines[line], str(quantity), str(price), tax=tax, billing_type=kind))
        await desk.deliver(*claim.chunks(size))
        there[claim.id] = list(claim.items)
        await assert_totals(desk, first.id, [one for items_ in there.values() for one in items_])
    for _ in range(3):
        await _take_away(desk, first.id, there, dice)
        await assert_totals(desk, first.id, [one for items_ in there.values() for one in items_])


async def _take_away(desk: Desk, invoice_id: UUID, there: dict[UUID, list[ClaimedItem]], dice: random.Random) -> None:
    """Removes some details, or drops a whole claim."""
    details = await desk.details(invoice_id)
    if there and dice.random() < 0.3:
        claim_id = dice.choice(sorted(there))
        path = f"/v1/invoices/{invoice_id}/claims/{claim_id}/drop"
        assert (await desk.biller.post(path, headers={"If-Match": "*"})).status_code == 200
        del there[claim_id]
        return
    gone = dice.sample(details, dice.randint(0, len(details)))
    if gone:
        path = f"/v1/invoices/{invoice_id}/details/remove"
        answer = await desk.biller.post(path, json={"ids": [detail["id"] for detail in gone]})
        assert answer.json() == {"changed": len(gone), "unchanged": 0, "refused": []}
        items = {detail["item_id"] for detail in gone}
        for claim_id, kept in there.items():
            there[claim_id] = [one for one in kept if str(one.id) not in items]
