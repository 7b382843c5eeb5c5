"""Random work while Kafka is slow: what people see is old, what they ask for is refused or not, and nothing is lost."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.conftest import Firms
from tests.model.play import Play, decimal, nothing_is_wrong
from tests.support.rows import rows

Deed = Callable[[Play, int], Awaitable[None]]

RUNS = int(os.environ.get("MODEL_RUNS", "200")) // 4

_REFUSALS = {403, 404, 409, 412}
_LIVE = """
select entry_id, sum(quantity) as quantity from actuals where type <> 'cost' and entry_id is not null group by entry_id
"""


async def ask(play: Play, service: str, method: str, path: str, role: str, **request: Any) -> Any:
    """A call that may be refused, because the caller knows less than the service."""
    answer = await play.world.call(service, method, path, role, **request)
    assert answer.status_code < 300 or answer.status_code in _REFUSALS, f"{method} {path}: {answer.text}"
    return answer.json() if answer.content and answer.status_code < 300 else None


async def listed(play: Play, service: str, path: str, n: int) -> dict[str, Any] | None:
    """One of what a list shows, or nothing."""
    items = (await play.world.ok(service, "GET", path, "manager"))["items"]
    return items[n % len(items)] if items else None


async def approve(play: Play, n: int) -> None:
    body = {
        "class": "time", "project": "P1", "resource": "ann", "role": "dev", "date": "2026-02-02",
        "quantity": decimal(n % 2_400 + 1),
    }  # fmt: skip
    entry = (await play.world.ok("time-expense", "POST", "/v1/entries", "submitter", json=body))["id"]
    await play.world.ok("time-expense", "POST", f"/v1/entries/{entry}/submit", "submitter")
    await play.world.ok("time-expense", "POST", f"/v1/entries/{entry}/approve", "approver", json={})


async def approve_again(play: Play, n: int) -> None:
    entry = await listed(play, "time-expense", "/v1/entries?status=submitted&limit=1000", n)
    if entry:
        await ask(play, "time-expense", "POST", f"/v1/entries/{entry['id']}/approve", "approver", json={})


async def cancel(play: Play, n: int) -> None:
    entry = await listed(play, "time-expense", "/v1/entries?status=approved&limit=1000", n)
    if entry:
        path = f"/v1/entries/{entry['id']}/cancel-approval"
        await ask(play, "time-expense", "POST", path, "approver", json={"reason": "wrong"})


async def mark_ready(play: Play, n: int) -> None:
    body: dict[str, Any] = {"filter": {"contract_id": play.contract_id}}
    await ask(play, "billing-backlog", "POST", "/v1/backlog/mark-ready", "biller", json=body)


async def claim(play: Play, n: int) -> None:
    path = f"/v1/contracts/{play.contract_id}/create-invoice"
    await ask(play, "billing-backlog", "POST", path, "biller", json={})


async def refresh(play: Play, n: int) -> None:
    run = await listed(play, "billing-backlog", "/v1/invoice-runs?limit=1000", n)
    if run:
        await ask(play, "billing-backlog", "POST", f"/v1/invoice-runs/{run['id']}/refresh", "biller")


async def of_a_draft(play: Play, n: int) -> tuple[str, dict[str, Any] | None]:
    draft = await listed(play, "invoicing", "/v1/invoices?status=draft&limit=1000", n)
    if not draft:
        return "", None
    path = f"/v1/invoices/{draft['id']}"
    return path, await listed(play, "invoicing", f"{path}/details?limit=1000", n // 7)


async def remove(play: Play, n: int) -> None:
    path, detail = await of_a_draft(play, n)
    if detail:
        await ask(play, "invoicing", "DELETE", f"{path}/details/{detail['id']}", "biller")


async def edit(play: Play, n: int) -> None:
    path, detail = await of_a_draft(play, n)
    if detail:
        change = {"quantity": decimal(n % 2_000 + 1)}
        await ask(play, "invoicing", "PATCH", f"{path}/details/{detail['id']}", "biller", json=change)


async def discard(play: Play, n: int) -> None:
    draft = await listed(play, "invoicing", f"/v1/invoices?status={('draft', 'building')[n % 2]}&limit=1000", n)
    if draft:
        await ask(play, "invoicing", "POST", f"/v1/invoices/{draft['id']}/discard", "biller", json={})


async def confirm(play: Play, n: int) -> None:
    draft = await listed(play, "invoicing", "/v1/invoices?status=draft&limit=1000", n)
    if draft:
        tag = {"If-Match": f'"{draft["version"]}"'}
        await ask(play, "invoicing", "POST", f"/v1/invoices/{draft['id']}/confirm", "manager", headers=tag)


async def correct(play: Play, n: int) -> None:
    invoice = await listed(play, "invoicing", "/v1/invoices?status=confirmed&limit=1000", n)
    if invoice:
        verb = ("correct", "void")[n % 2]
        await ask(play, "invoicing", "POST", f"/v1/invoices/{invoice['id']}/{verb}", "manager", json={})


async def drip(play: Play, n: int) -> None:
    await play.world.drip()


DEEDS: Mapping[str, Deed] = {
    "approve": approve, "approve more": approve, "approve again": approve_again, "cancel": cancel,
    "mark ready": mark_ready, "ready": mark_ready, "claim": claim, "refresh": refresh, "remove": remove, "edit": edit,
    "discard": discard, "confirm": confirm, "confirm more": confirm, "correct": correct, "drip": drip, "drop": drip,
    "trickle": drip,
}  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 10**7)), min_size=8, max_size=40)


async def every_question_is_answered(play: Play) -> None:
    """Nobody waits: no cancellation is open, and what is approved, and only that, stands in the ledger."""
    waiting = "select status from entries where status = 'cancellation_requested'"
    assert await rows(play.world.apis["time-expense"].runtime, waiting) == []
    standing = await rows(play.world.apis["time-expense"].runtime, "select id, status, quantity from entries")
    backlog = play.world.apis["billing-backlog"].runtime
    ledger = {row["entry_id"]: row["quantity"] for row in await rows(backlog, _LIVE)}
    for entry in standing:
        here = ledger.get(entry["id"], 0)
        # An edit on a draft may bill more than was approved, never less.
        assert here >= entry["quantity"] if entry["status"] == "approved" else here == 0, entry


@settings(max_examples=RUNS, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, seed=st.integers(0, 2**32))
async def test_nothing_is_lost_while_news_travel_slowly(firms: Firms, steps: list[tuple[str, int]], seed: int) -> None:
    play = await firms(seed)
    for name, n in steps:
        await DEEDS[name](play, n)
    await play.world.settle()
    await nothing_is_wrong(play)
    await every_question_is_answered(play)
