"""Milestones and product lines, state by state and verb by verb (domain §2.4, §2.5), with what is refused and why.

A cell says where the thing stands afterwards; `-` with a reason: it is refused for that, and nothing changes;
`blocked`: an invoice said so, the ledger does not believe it and says so, and nothing else changes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from billing_backlog.worker import HANDLERS
from proforma.events.invoicing import ConfirmedDetail, DetailsReleased, ReleasedDetail
from proforma.runtime import Runtime
from tests.billing_backlog.confirmed import confirm, corrected, figures, zero
from tests.billing_backlog.masters import Json, Masters
from tests.billing_backlog.milestones.standings import billed_and_credited, put_on_invoice
from tests.billing_backlog.scene import AT, claimed, confirmation, violations
from tests.support.events import deliver
from tests.support.rows import value

TEXT = """
              unbilled     ready        on_invoice     posted       credited     canceled
mark-ready    ready        ready        -on_invoice    -posted      ready        -canceled
unmark-ready  unbilled     unbilled     -on_invoice    -posted      unbilled     -canceled
run           unbilled     on_invoice   on_invoice     posted       unbilled     -contract_not_active
release       unbilled     ready        ready          posted       unbilled     canceled
confirm       blocked      blocked      posted         blocked      blocked      blocked
credit        blocked      blocked      blocked        unbilled     blocked      blocked
credit-part   blocked      blocked      blocked        posted       blocked      blocked
edit          unbilled     ready        -on_invoice    -posted      unbilled     -wrong_state
delete        gone         gone         -on_invoice    -posted      -wrong_state -wrong_state
close         canceled     canceled     on_invoice     posted       canceled     -wrong_state
"""
HEAD, *ROWS = [line.split() for line in TEXT.splitlines() if line.strip()]


@dataclass
class Thing:
    """A milestone or product line, and where it is worked on. `billed`: its detail on a confirmed invoice."""

    runtime: Runtime
    desk: Masters
    contract: Json
    made: Json
    noun: str
    claim: UUID | None = None

    @property
    def path(self) -> str:
        return f"/v1/{'milestones' if self.noun == 'milestones' else 'contract-lines'}/{self.made['id']}"

    async def stands(self) -> str:
        shown = await self.desk.biller.get(self.path)
        return str(shown.json()["billing_status"]) if shown.status_code == 200 else "gone"

    async def detail(self) -> ConfirmedDetail:
        """Its detail on the invoice that has it; without one what somebody makes up."""
        mine = [chunk for chunk in await claimed(self.runtime) if chunk.claim.id == self.claim]
        if mine:
            return confirmation(mine)[0].details[0]
        now = figures("1", "1000") if self.noun == "milestones" else figures("10", "50")
        source = "milestone" if self.noun == "milestones" else "product"
        line = self.made.get("contract_line_id", self.made["id"])
        return ConfirmedDetail.model_validate(
            {
                "detail_id": uuid4(), "item_id": self.made["id"], "claim_id": UUID(int=78), "source": source,
                "class": source, "contract_line_id": line, "was": now, "now": now,
            }
        )  # fmt: skip

    async def says(self, detail: ConfirmedDetail, **header: Any) -> str:
        """An invoice says so; `blocked`, or where it stands then."""
        (chunk,) = await confirm(
            self.runtime, [detail], invoice_id=uuid4(), contract_id=UUID(self.contract["id"]),
            customer_id=UUID(self.contract["customer_id"]), **header,
        )  # fmt: skip
        status = await value(self.runtime, "select status from postings where invoice_id = $1", chunk.invoice_id)
        return "blocked" if status == "blocked" else await self.stands()


async def answered(thing: Thing, answer: httpx.Response) -> str:
    """Where it stands, or why the call was refused."""
    if answer.status_code == 409:
        return f"-{answer.json()['reason']}"
    assert answer.status_code < 300, answer.text
    refused = answer.json().get("refused") if answer.content else None
    return f"-{refused[0]['reason']}" if refused else await thing.stands()


def marking(verb: str) -> Callable[[Thing], Awaitable[str]]:
    async def mark(thing: Thing) -> str:
        ids = {"ids": [thing.made["id"]]}
        return await answered(thing, await thing.desk.biller.post(f"/v1/{thing.noun}/{verb}", json=ids))

    return mark


async def run(thing: Thing) -> str:
    path = f"/v1/contracts/{thing.contract['id']}/create-invoice"
    return await answered(thing, await thing.desk.biller.post(path, json={}))


async def release(thing: Thing) -> str:
    """Its detail leaves a draft."""
    gone = ReleasedDetail(item_id=UUID(thing.made["id"]), claim_id=thing.claim or UUID(int=78))
    invoice, contract = thing.claim or UUID(int=78), UUID(thing.contract["id"])
    said = DetailsReleased(invoice_id=invoice, contract_id=contract, by="b", at=AT, details=[gone])
    await deliver(thing.runtime, HANDLERS, said)
    return await thing.stands()


async def confirms(thing: Thing) -> str:
    detail = await thing.detail()
    if await thing.stands() == "posted":
        detail = detail.model_copy(update={"detail_id": uuid4()})
    return await thing.says(detail)


async def credit(thing: Thing) -> str:
    detail = await thing.detail()
    return await thing.says(corrected(detail, zero(detail)), kind="corrective")


async def credit_part(thing: Thing) -> str:
    detail = await thing.detail()
    return await thing.says(corrected(detail, figures(str(detail.now.quantity), "1", "400")), kind="corrective")


async def edit(thing: Thing) -> str:
    return await answered(thing, await thing.desk.patch(thing.path, {"tax": "7"}))


async def delete(thing: Thing) -> str:
    return await answered(thing, await thing.desk.delete(thing.path))


async def close(thing: Thing) -> str:
    return await answered(thing, await thing.desk.verb(thing.contract["id"], "close"))


VERBS: dict[str, Callable[[Thing], Awaitable[str]]] = {
    "mark-ready": marking("mark-ready"), "unmark-ready": marking("unmark-ready"), "run": run, "release": release,
    "confirm": confirms, "credit": credit, "credit-part": credit_part, "edit": edit, "delete": delete, "close": close,
}  # fmt: skip


async def brought(runtime: Runtime, desk: Masters, noun: str, state: str) -> Thing:
    """A milestone of 1,000 or a product line of 500 in this state."""
    project = f"P-{uuid4()}"
    if noun == "milestones":
        terms = {"billing_method": "fixed_price", "contracted_amount": "1000", "project": project}
        contract, line = await desk.active(**terms)
        made = await desk.milestone(line)
    else:
        contract, _ = await desk.active(project=project)
        made = await desk.product(contract)
    thing = Thing(runtime, desk, contract, made, noun)
    if state == "ready":
        await desk.mark(noun, made)
    elif state in ("on_invoice", "posted"):
        thing.claim = await put_on_invoice(runtime, desk, contract, made, posted=state == "posted")
    elif state == "credited":
        await billed_and_credited(runtime, desk, contract, made)
    elif state == "canceled":
        await desk.verb(contract["id"], "close")
    assert await thing.stands() == ("unbilled" if state == "credited" else state)
    return thing


@pytest.mark.parametrize("state", HEAD)
@pytest.mark.parametrize("noun", ["milestones", "product-backlog"])
async def test_every_transition_and_refusal(runtime: Runtime, desk: Masters, noun: str, state: str) -> None:
    # What nothing happened to is tried again: to bring one so far takes longer than the verb.
    thing = await brought(runtime, desk, noun, state)
    before = await thing.stands()
    for verb, *cells in ROWS:
        expected = cells[HEAD.index(state)]
        stays = expected in ("blocked", before) or expected.startswith("-")
        tried = thing if stays else await brought(runtime, desk, noun, state)
        assert await VERBS[verb](tried) == expected, verb
        assert await thing.stands() == before, verb
    assert await violations(runtime) == []
