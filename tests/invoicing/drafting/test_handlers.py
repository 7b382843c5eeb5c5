"""Claims become drafts."""

from tests.invoicing.claimed import Desk, claiming


async def test_a_claim_opens_a_draft(desk: Desk) -> None:
    claim = claiming(3)
    await desk.deliver(*claim.chunks())
    shown = await desk.show(claim.id)
    assert shown["status"] == "draft"
    assert (shown["subtotal"], shown["tax"], shown["total"]) == ("4800.00", "0.00", "4800.00")
    assert shown["details"] == 3
    done = await desk.confirm(shown)
    assert done.status_code == 200, done.text
    print(done.json())
    print(await desk.events())
