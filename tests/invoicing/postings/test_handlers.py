"""The ledger's answers."""

import uuid
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from proforma.envelope import Event
from proforma.events.billing_backlog import ControlTotals, InvoicePosted, PostingBlocked
from tests.invoicing.claimed import Desk
from tests.support.events import DeadLettered, record_of


def posted(invoice: dict[str, Any], **totals: Any) -> InvoicePosted:
    right = {
        "count": invoice["details"], "quantity": Decimal(8) * invoice["details"],
        "amount": Decimal(invoice["subtotal"]), "tax": Decimal(0),
    }  # fmt: skip
    return InvoicePosted(
        invoice_id=UUID(invoice["id"]),
        contract_id=UUID(invoice["contract_id"]),
        totals=ControlTotals.model_validate({**right, **totals}),
    )


def blocked(invoice: dict[str, Any], reason: str = "2 details do not match") -> PostingBlocked:
    return PostingBlocked(invoice_id=UUID(invoice["id"]), contract_id=UUID(invoice["contract_id"]), reason=reason)


async def posting(desk: Desk, invoice: dict[str, Any]) -> tuple[str, str | None]:
    shown = await desk.show(invoice["id"])
    return shown["posting"], shown["posting_reason"]


async def waiting(desk: Desk) -> list[dict[str, Any]]:
    found = (await desk.admin.get("/v1/waiting")).json()["items"]
    return [one for one in found if one["kind"].startswith("posting")]


async def test_posted_when_the_ledger_has_it(desk: Desk) -> None:
    invoice = await desk.confirmed(3)
    (pending,) = await waiting(desk)
    assert (pending["kind"], pending["id"], pending["since"]) == (
        "posting_pending", invoice["id"], invoice["confirmed_at"],
    )  # fmt: skip
    assert "PF-2026-000001" in pending["detail"]
    await desk.deliver(posted(invoice))
    shown = await desk.show(invoice["id"])
    assert (shown["posting"], shown["posting_reason"]) == ("posted", None)
    assert (shown["status"], shown["version"]) == ("confirmed", invoice["version"] + 1)
    assert await waiting(desk) == []
    entry = (await desk.history(invoice["id"]))[-1]
    assert (entry["action"], entry["before"], entry["after"]) == (
        "posting_posted", {"posting": "pending"}, {"posting": "posted"},
    )  # fmt: skip


async def test_blocked_with_the_reason_until_it_is_posted(desk: Desk) -> None:
    invoice = await desk.confirmed(1)
    await desk.deliver(blocked(invoice))
    assert await posting(desk, invoice) == ("blocked", "2 details do not match")
    (one,) = await waiting(desk)
    assert (one["kind"], one["detail"]) == ("posting_blocked", "PF-2026-000001: 2 details do not match")
    # Its exits are in the ledger; to tell the ledger the same again would change nothing there.
    assert (await desk.admin.post(f"/v1/waiting/{invoice['id']}/ask")).status_code == 409
    await desk.deliver(posted(invoice))
    assert await posting(desk, invoice) == ("posted", None)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"count": 2}, "count 3 here, 2 in the ledger"),
        ({"quantity": Decimal("23.99")}, "quantity 24.00 here, 23.99 in the ledger"),
        ({"amount": Decimal("4799.99")}, "amount 4800.00 here, 4799.99 in the ledger"),
        ({"tax": Decimal("0.01")}, "tax 0.00 here, 0.01 in the ledger"),
    ],
)
async def test_other_control_totals_show_as_blocked(desk: Desk, wrong: dict[str, Any], named: str) -> None:
    invoice = await desk.confirmed(3)
    await desk.deliver(posted(invoice, **wrong))
    assert await posting(desk, invoice) == ("blocked", f"control totals differ: {named}")
    await desk.deliver(posted(invoice))
    assert await posting(desk, invoice) == ("posted", None)


async def test_posted_is_final_in_whatever_order_answers_come(desk: Desk) -> None:
    for order in permutations(range(3)):
        invoice = await desk.confirmed(1)
        answers: list[Event] = [blocked(invoice), blocked(invoice, "still"), posted(invoice)]
        await desk.deliver(*(answers[n] for n in order))
        assert await posting(desk, invoice) == ("posted", None), order


async def test_answers_come_once_or_more(desk: Desk) -> None:
    invoice = await desk.confirmed(1)
    answer = record_of(posted(invoice))
    await desk.deliver(answer, answer, posted(invoice), posted(invoice))
    shown = await desk.show(invoice["id"])
    assert (shown["posting"], shown["version"]) == ("posted", invoice["version"] + 1)
    await desk.deliver(posted(invoice), blocked(invoice))
    assert await desk.show(invoice["id"]) == shown


async def test_many_answers_at_once(desk: Desk) -> None:
    invoices = [await desk.confirmed(1) for _ in range(4)]
    await desk.deliver(*(posted(one) for one in invoices[:2]), *(blocked(one) for one in invoices[2:]))
    assert [(await posting(desk, one))[0] for one in invoices] == ["posted", "posted", "blocked", "blocked"]


async def test_an_answer_for_what_was_never_confirmed_is_set_aside(desk: Desk) -> None:
    draft, invoice = await desk.draft(1), await desk.confirmed(1)
    stranger = posted({**invoice, "id": str(uuid.uuid4())})
    with pytest.raises(DeadLettered) as dead:
        await desk.deliver(posted(draft), stranger, posted(invoice))
    assert [("is not confirmed here" in reason) for reason in dead.value.reasons] == [True, True]
    assert await posting(desk, invoice) == ("posted", None)
    assert await desk.show(draft["id"]) == draft
