"""An approval is canceled by a question to the ledger; the answer is granted, or refused with the invoice."""

from typing import Any

from tests.flows.firm import BILLED, CHARGEABLE, COST, UNBILLED, Firm, rows
from tests.support.waits import eventually

APPROVED = rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600))
TAKEN_BACK = rows((COST, CHARGEABLE, -8, -800), (UNBILLED, CHARGEABLE, -8, -1600))


async def _asked(firm: Firm, entry_id: str) -> dict[str, Any]:
    """Asks to cancel the approval and waits for the answer; the entry then."""
    path = f"/v1/entries/{entry_id}/cancel-approval"
    body = {"reason": "the wrong project"}
    asked = await firm.client("time-expense", "approver").post(path, json=body, headers={"If-Match": "*"})
    assert (asked.status_code, asked.json()["status"]) == (202, "cancellation_requested"), asked.text

    async def answered() -> dict[str, Any] | None:
        entry = await firm.entry(entry_id)
        return entry if entry["status"] != "cancellation_requested" else None

    entry = await eventually(answered)
    assert entry is not None
    return entry


async def test_an_approval_is_canceled_and_given_again(firm: Firm) -> None:
    """Domain §3.2: all rows of the approval are reversed; the entry is submitted again, and may be approved again."""
    entry_id = await firm.worked()
    entry = await _asked(firm, entry_id)
    assert (entry["status"], entry["cancellation"]["outcome"]) == ("submitted", "reversed")
    assert await firm.ledger(entry_id=entry_id) == sorted(APPROVED + TAKEN_BACK)
    assert await firm.items(contract_id=firm.contract_id) == []
    await firm.approve(entry_id, billable_quantity="6")
    again = rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 6, 1200), (UNBILLED, "non_chargeable", 2, 400))
    assert await firm.ledger(entry_id=entry_id) == sorted(APPROVED + TAKEN_BACK + again)
    assert (await firm.entry(entry_id))["revision"] == 2
    await firm.mark_ready()
    assert (await firm.confirm((await firm.drafted())["id"]))["total"] == "1200.00"
    await firm.is_sound()


async def test_an_invoice_refuses_the_cancellation_of_what_it_has(firm: Firm) -> None:
    """On a draft and on a confirmed invoice it is refused, naming the invoice; after a full credit it is granted."""
    entry_id = await firm.worked()
    await firm.mark_ready()
    draft = await firm.drafted()
    for reason in ("on_invoice", "posted"):
        entry = await _asked(firm, entry_id)
        assert entry["status"] == "approved"
        assert entry["cancellation"] == {"outcome": "refused", "reason": reason, "invoice_id": draft["id"]}
        if reason == "on_invoice":
            await firm.confirm(draft["id"])
    billed = rows((UNBILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 8, 1600))
    assert await firm.ledger(entry_id=entry_id) == sorted(APPROVED + billed)
    void = await firm.invoicing("POST", f"/v1/invoices/{draft['id']}/void", {}, headers={"If-Match": "*"})
    await firm.posted(void["id"])
    entry = await _asked(firm, entry_id)
    assert (entry["status"], entry["cancellation"]["outcome"]) == ("submitted", "reversed")
    credited = rows((BILLED, CHARGEABLE, -8, -1600), (UNBILLED, CHARGEABLE, 8, 1600))
    assert await firm.ledger(entry_id=entry_id) == sorted(APPROVED + billed + credited + TAKEN_BACK)
    assert await firm.items(contract_id=firm.contract_id) == []
    await firm.is_sound()
