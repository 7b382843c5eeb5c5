"""The billing status of unbilled sales, state by state and verb by verb (domain §2.2), with what is refused and why.

A cell says what the verb did: the status afterwards, or `refused:` and the reason, or `nothing` where a message that
does not match is without effect, or `left out:` and the reason where a run does not take the item.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from billing_backlog.worker import HANDLERS
from proforma.events.invoicing import DetailsReleased, ReleasedDetail
from tests.billing_backlog.cancellations.questions import answers, ask, asked
from tests.billing_backlog.confirmed import confirm, drafted
from tests.billing_backlog.reevaluation.steps import dearer, job
from tests.billing_backlog.scene import AT, CONTRACT, all_ready, approve, entry, firm, ready, run, violations
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.rows import rows, value

Begin = Callable[[Api], Awaitable[None]]
Do = Callable[[Api, UUID], Awaitable[str]]


async def unbilled(backlog: Api) -> None:
    await approve(backlog.runtime, entry())


async def is_ready(backlog: Api) -> None:
    await ready(backlog.runtime, 1)


async def on_invoice(backlog: Api) -> None:
    await is_ready(backlog)
    await run(backlog.runtime)


async def posted(backlog: Api) -> None:
    await is_ready(backlog)
    await confirm(backlog.runtime, await drafted(backlog.runtime))


async def canceled(backlog: Api) -> None:
    await unbilled(backlog)
    await ask(backlog.runtime, asked())


async def unpriced(backlog: Api) -> None:
    await approve(backlog.runtime, entry(role="poet"))


async def cost_only(backlog: Api) -> None:
    await approve(backlog.runtime, entry(project="INTERNAL"))


async def _bulk(backlog: Api, verb: str, item_id: UUID, **more: Any) -> str:
    answer = await backlog.as_("biller").post(f"/v1/backlog/{verb}", json={"ids": [str(item_id)], **more})
    result = answer.json()
    if result["refused"]:
        return f"refused: {result['refused'][0]['reason']}"
    return await _status(backlog)


async def _status(backlog: Api) -> str:
    """The status of the newest item, open or closed."""
    (shown, *_) = sorted(
        (await backlog.as_("biller").get(f"/v1/backlog?entry_id={entry().id}")).json()["items"],
        key=lambda one: str(one["id"]), reverse=True,
    )  # fmt: skip
    return str(shown["billing_status"])


async def mark_ready(backlog: Api, item_id: UUID) -> str:
    return await _bulk(backlog, "mark-ready", item_id)


async def unmark_ready(backlog: Api, item_id: UUID) -> str:
    return await _bulk(backlog, "unmark-ready", item_id)


async def set_billing_type(backlog: Api, item_id: UUID) -> str:
    return await _bulk(backlog, "set-billing-type", item_id, billing_type="non_chargeable")


async def create_invoice(backlog: Api, item_id: UUID) -> str:
    made = await run(backlog.runtime)
    if made.status == "claimed":
        return await _status(backlog)
    counts = made.lines[0].left_out
    return f"left out: {next(iter(counts))}" if counts else "nothing"


async def cancel_approval(backlog: Api, item_id: UUID) -> str:
    await ask(backlog.runtime, asked(request=2))
    last = (await answers(backlog.runtime))[-1]
    return f"refused: {last.reason}" if last.outcome == "refused" else await _status(backlog)


async def release(backlog: Api, item_id: UUID) -> str:
    """Its detail leaves the draft."""
    before = await _status(backlog)
    claim_id = (await rows(backlog.runtime, "select id from claims union all select $1::uuid limit 1", UUID(int=1)))[0]
    detail = ReleasedDetail(item_id=item_id, claim_id=claim_id["id"])
    said = DetailsReleased(invoice_id=claim_id["id"], contract_id=CONTRACT, by="b", at=AT, details=[detail])
    await deliver(backlog.runtime, HANDLERS, said)
    after = await _status(backlog)
    return "nothing" if after == before else after


async def close_contract(backlog: Api, item_id: UUID) -> str:
    answer = await backlog.as_("manager").post(f"/v1/contracts/{CONTRACT}/close", headers={"If-Match": "*"})
    assert answer.status_code == 200
    return await _status(backlog)


async def reevaluate(backlog: Api, item_id: UUID) -> str:
    """An hour has become dearer: what may move is reversed, and replaced by an item that is not ready."""
    before = await value(backlog.runtime, "select count(*) from actuals")
    await dearer(backlog.runtime)
    result = (await job(backlog))["result"]
    if result["refused"]:
        assert await value(backlog.runtime, "select count(*) from actuals") == before
        (problem,) = await rows(backlog.runtime, "select reason from job_problems")
        return f"refused: {problem['reason']}"
    return await _status(backlog) if result["changed"] else "nothing"


VERBS: dict[str, Do] = {
    "mark ready": mark_ready, "unmark ready": unmark_ready, "set billing type": set_billing_type,
    "create invoice": create_invoice, "release": release, "cancel approval": cancel_approval, "close": close_contract,
    "re-evaluate": reevaluate,
}  # fmt: skip
TABLE: dict[str, tuple[Begin, list[str]]] = {
    # state: its beginning, then in the order of the verbs
    "unbilled": (
        unbilled,
        ["ready", "unbilled", "unbilled", "left out: not_ready", "nothing", "canceled", "canceled", "unbilled"],
    ),
    "ready": (is_ready, ["ready", "unbilled", "unbilled", "on_invoice", "nothing", "canceled", "canceled", "unbilled"]),
    "on_invoice": (
        on_invoice,
        [
            "refused: on_invoice", "refused: on_invoice", "refused: on_invoice", "left out: on_invoice", "ready",
            "refused: on_invoice", "on_invoice", "refused: on_invoice",
        ],
    ),
    "posted": (
        posted,
        [
            "refused: posted", "refused: posted", "refused: posted", "nothing", "nothing", "refused: posted", "posted",
            "refused: posted",
        ],
    ),
    "canceled": (
        canceled,
        [
            "refused: canceled", "refused: canceled", "refused: canceled", "nothing", "nothing", "canceled", "canceled",
            "nothing",
        ],
    ),
    "without a price": (
        unpriced,
        [
            "refused: no_price", "unbilled", "unbilled", "left out: no_price", "nothing", "canceled", "canceled",
            "nothing",
        ],
    ),
    "cost only": (
        cost_only,
        [
            "refused: no_contract_line", "refused: no_contract_line", "refused: no_contract_line", "nothing", "nothing",
            "nothing left", "cost_only", "nothing",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "verb", "expected"),
    [(state, verb, cell) for state, (_, cells) in TABLE.items() for verb, cell in zip(VERBS, cells, strict=True)],
)
async def test_every_transition_and_refusal(api: MakeApi, state: str, verb: str, expected: str) -> None:
    backlog = await api("billing-backlog")
    await firm(backlog.runtime)
    await TABLE[state][0](backlog)
    kept = "select id from actuals where reverses is null and type <> 'billed_sales' order by type desc limit 1"
    item_id = await value(backlog.runtime, kept)
    if expected == "nothing left":
        await ask(backlog.runtime, asked(project="INTERNAL"))
        assert await rows(backlog.runtime, "select id from items") == []
    else:
        assert await VERBS[verb](backlog, item_id) == expected
    assert await violations(backlog.runtime) == []


async def test_what_was_billed_and_credited_is_billed_again(api: MakeApi) -> None:
    """Released, claimed again, confirmed: the same item, once (domain §2.2, CIC → RTI → CIC → CIP)."""
    backlog = await api("billing-backlog")
    await firm(backlog.runtime)
    await on_invoice(backlog)
    item_id = await value(backlog.runtime, "select id from items")
    assert await release(backlog, item_id) == "ready"
    assert await unmark_ready(backlog, item_id) == "unbilled"
    await all_ready(backlog.runtime)
    await confirm(backlog.runtime, await drafted(backlog.runtime))
    assert await _status(backlog) == "posted"
    assert await violations(backlog.runtime) == []
