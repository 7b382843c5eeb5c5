"""What consultants, managers and billers do before there is an invoice."""

from dataclasses import replace
from decimal import Decimal

from tests.billing_backlog.reevaluation.steps import run_jobs
from tests.billing_backlog.scene import SALES
from tests.model.books import Approval, Item
from tests.model.play import BILLING_TYPES, Play, adopt, decimal, hundredths, pick


async def approve(play: Play, n: int, m: int) -> None:
    """Somebody works, a manager approves: all of it, less, more, or as another billing type."""
    quantity = n % 2_400 + 1
    billable = quantity if m % 3 else m // 3 % (2 * quantity + 1)
    billing_type = (None, None, *BILLING_TYPES)[m % 5]
    world = play.world
    body = {
        "class": "time", "project": "P1", "resource": "ann", "role": "dev", "date": "2026-02-02",
        "quantity": decimal(quantity),
    }  # fmt: skip
    entry = (await world.ok("time-expense", "POST", "/v1/entries", "submitter", json=body))["id"]
    await world.ok("time-expense", "POST", f"/v1/entries/{entry}/submit", "submitter")
    await _approve(play, entry, quantity, billable, billing_type)


async def _approve(play: Play, entry: str, quantity: int, billable: int, billing_type: str | None) -> None:
    override = {"billable_quantity": decimal(billable), "billing_type": billing_type}
    await play.world.ok("time-expense", "POST", f"/v1/entries/{entry}/approve", "approver", json=override)
    await play.world.settle()
    await adopt(play, play.books.approved(entry, Approval(quantity, billable, billing_type)))


async def cancel(play: Play, n: int, m: int) -> None:
    """A manager takes an approval back: granted unless something of it is on an invoice."""
    if not play.books.approvals:
        return
    entry = pick([*play.books.approvals], n)
    path = f"/v1/entries/{entry}"
    await play.world.ok("time-expense", "POST", f"{path}/cancel-approval", "approver", json={"reason": "wrong"})
    await play.world.settle()
    shown = await play.world.ok("time-expense", "GET", path, "approver")
    if play.books.held(entry):
        assert (shown["status"], shown["cancellation"]["outcome"]) == ("approved", "refused")
        return
    assert (shown["status"], shown["cancellation"]["outcome"]) == ("submitted", "reversed")
    play.books.canceled(entry)
    if m % 2:
        quantity = hundredths(shown["quantity"])
        await _approve(play, entry, quantity, m // 2 % (quantity + 1), None)


async def _move(play: Play, n: int, m: int, verb: str, before: str, after: str) -> None:
    wanted = [key for key, one in play.books.items.items() if one.status == before]
    if not wanted:
        return
    some = wanted if n % 2 else [pick(wanted, m)]
    answer = await play.world.ok("billing-backlog", "POST", f"/v1/backlog/{verb}", "biller", json={"ids": some})
    assert answer["changed"] == len(some), answer
    for key in some:
        play.books.items[key].status = after


async def mark_ready(play: Play, n: int, m: int) -> None:
    await _move(play, n, m, "mark-ready", "unbilled", "ready")


async def unmark_ready(play: Play, n: int, m: int) -> None:
    await _move(play, n, m, "unmark-ready", "ready", "unbilled")


async def set_billing_type(play: Play, n: int, m: int) -> None:
    """Another billing type is another row: a new item, not ready."""
    free = [key for key, one in play.books.items.items() if one.status in ("unbilled", "ready")]
    if not free:
        return
    key, wanted = pick(free, n), BILLING_TYPES[m % 3]
    body = {"ids": [key], "billing_type": wanted}
    answer = await play.world.ok("billing-backlog", "POST", "/v1/backlog/set-billing-type", "biller", json=body)
    item = play.books.items[key]
    if item.figures.billing_type == wanted:
        assert answer["unchanged"] == 1, answer
        return
    assert answer["changed"] == 1, answer
    del play.books.items[key]
    if item.entry is not None:
        play.books.approvals[item.entry].hand_set = True
    await adopt(play, [Item(item.entry, replace(item.figures, billing_type=wanted))])


async def reprice(play: Play, n: int, m: int) -> None:
    """A biller changes the rate, looks at what that would change, and re-evaluates; sometimes the rate is the same."""
    price = play.books.price if m % 4 == 0 else n % 4_000_000 + 1
    rate = {"class": "time", "role": "dev", "price": f"{Decimal(price) / 10_000:.4f}"}
    world, path = play.world, f"/v1/contracts/{play.contract_id}/re-evaluate"
    await world.ok("billing-backlog", "PATCH", f"/v1/price-lists/{SALES}", "biller", json={"rates": [rate]})
    seen = await world.ok("billing-backlog", "POST", f"{path}?preview=true", "biller")
    started = await world.ok("billing-backlog", "POST", path, "biller")
    await run_jobs(world.apis["billing-backlog"])
    await world.settle()
    job = await world.ok("billing-backlog", "GET", f"/v1/jobs/{started['id']}", "biller")
    changed, opened = play.books.reevaluated(price)
    assert (job["status"], job["result"]["changed"], seen["changed"]) == ("succeeded", changed, changed), job
    assert seen["refused"] == job["result"]["refused"], job
    await adopt(play, opened)
