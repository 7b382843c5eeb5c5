"""Two things that happen to the same work at the same moment (design §5.1–5.3): whoever has the contract first decides,
and what comes second finds things as they are then. Each pair is played in both orders."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from billing_backlog.contract_lifecycle.service import close
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.worker import HANDLERS
from proforma.envelope import Event
from proforma.events.invoicing import ConfirmedDetail, DetailsReleased, InvoiceDiscarded, ReleasedDetail
from proforma.runtime import Runtime
from tests.billing_backlog.cancellations.questions import ask, asked, outcomes
from tests.billing_backlog.confirmed import confirm, corrected, drafted, edited, figures, invoice, zero
from tests.billing_backlog.scene import AT, CONTRACT, all_ready, firm, items, ready, run, violations
from tests.conftest import MakeApi, MakeRuntime
from tests.support.events import record_of
from tests.support.rows import locks_awaited, rows, value

Deed = Callable[[], Awaitable[object]]


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    """Who waits for a lock waits for as long as a slow machine takes."""
    runtime = await make_runtime("billing-backlog", pool_size=8)
    await firm(runtime)
    return runtime


async def at_once(runtime: Runtime, first: Deed, second: Deed) -> None:
    """Both stand before the contract's lock, `first` in front; then it is let go."""
    async with runtime.database.transaction() as session:
        await lock_contracts(session, [CONTRACT])
        one = asyncio.create_task(_run(first))
        await locks_awaited(runtime)
        two = asyncio.create_task(_run(second))
        await locks_awaited(runtime, 2)
    await asyncio.gather(one, two)


async def _run(deed: Deed) -> object:
    return await deed()


async def told(runtime: Runtime, *events: Event) -> None:
    """What a worker does with these, in one transaction; two of them stand for two partitions of the topic."""
    async with runtime.database.transaction() as session:
        for event in events:
            handler = HANDLERS.of(event.TYPE)
            assert handler is not None
            await HANDLERS.apply(session, runtime.context(), handler, [record_of(event)])


async def on_draft(runtime: Runtime) -> ConfirmedDetail:
    await ready(runtime, 1)
    (detail,) = await drafted(runtime)
    return detail


def released(detail: ConfirmedDetail) -> DetailsReleased:
    assert detail.item_id is not None
    assert detail.claim_id is not None
    gone = ReleasedDetail(item_id=detail.item_id, claim_id=detail.claim_id)
    return DetailsReleased(invoice_id=detail.claim_id, contract_id=CONTRACT, by="b", at=AT, details=[gone])


def discarded(detail: ConfirmedDetail) -> InvoiceDiscarded:
    assert detail.claim_id is not None
    return InvoiceDiscarded.model_validate(
        {"invoice_id": detail.claim_id, "contract_id": CONTRACT, "by": "b", "at": AT, "claims": [detail.claim_id]}
    )


@pytest.mark.parametrize("given_back", [released, discarded])
@pytest.mark.parametrize("first", ["given back", "confirmed"])
async def test_giving_back_beside_confirming(
    first: str, given_back: Callable[[ConfirmedDetail], DetailsReleased | InvoiceDiscarded], runtime: Runtime
) -> None:
    """Billed, or back in the backlog with a posting that says so: never both, and never neither."""
    detail = await on_draft(runtime)
    deeds: list[Deed] = [
        lambda: told(runtime, given_back(detail)),
        lambda: told(runtime, *invoice([detail])),
    ]
    await at_once(runtime, *(deeds if first == "given back" else deeds[::-1]))
    statuses = [item["billing_status"] for item in await items(runtime)]
    billed = await value(runtime, "select count(*) from actuals where type = 'billed_sales'")
    posting = await value(runtime, "select status from postings")
    assert (statuses, billed, posting) == ((["ready"], 0, "blocked") if first == "given back" else ([], 1, "posted"))
    assert await violations(runtime) == []


@pytest.mark.parametrize("first", ["cancel", "confirm"])
async def test_cancelling_an_approval_beside_confirming(first: str, runtime: Runtime) -> None:
    """The invoice has the work in either order: the question is refused, with the reason of that moment."""
    detail = await on_draft(runtime)
    deeds: list[Deed] = [lambda: ask(runtime, asked()), lambda: told(runtime, *invoice([detail]))]
    await at_once(runtime, *(deeds if first == "cancel" else deeds[::-1]))
    assert await outcomes(runtime) == ["refused"]
    assert await value(runtime, "select status from postings") == "posted"
    assert await violations(runtime) == []


@pytest.mark.parametrize("first", ["close", "confirm"])
async def test_closing_beside_a_confirmation_that_returns_a_rest(first: str, runtime: Runtime) -> None:
    """6 of 8 hours are billed, and the 2 that come back to a closed contract are canceled, by whoever comes second."""
    detail = edited(await on_draft(runtime), figures("6", "200"), "return")

    async def end() -> None:
        async with runtime.database.transaction() as session:
            await close(session, runtime.context(), CONTRACT, None)

    deeds: list[Deed] = [end, lambda: told(runtime, *invoice([detail]))]
    await at_once(runtime, *(deeds if first == "close" else deeds[::-1]))
    assert await items(runtime) == []
    sums = "select type, sum(quantity) as q from actuals where type <> 'cost' group by type order by type"
    assert await rows(runtime, sums) == [
        {"type": "billed_sales", "q": Decimal(6)}, {"type": "unbilled_sales", "q": Decimal(0)},
    ]  # fmt: skip
    assert await value(runtime, "select status from postings") == "posted"
    assert await violations(runtime) == []


@pytest.mark.parametrize("first", ["run", "correct"])
async def test_a_run_beside_a_correction_that_brings_work_back(first: str, runtime: Runtime) -> None:
    """What comes back is not ready: no run takes it before somebody has looked at it."""
    detail = await on_draft(runtime)
    await confirm(runtime, [detail])
    credit = corrected(detail, zero(detail))
    deeds: list[Deed] = [
        lambda: run(runtime),
        lambda: told(runtime, *invoice([credit], n=2, kind="corrective")),
    ]
    await at_once(runtime, *(deeds if first == "run" else deeds[::-1]))
    assert [item["billing_status"] for item in await items(runtime)] == ["unbilled"]
    assert await value(runtime, "select status from runs order by created_at desc, id desc limit 1") == "skipped"
    assert await violations(runtime) == []


async def test_two_correctives_of_one_detail_at_once(runtime: Runtime) -> None:
    """Invoicing never lets it come so far; the ledger would not believe the second one either."""
    detail = await on_draft(runtime)
    await confirm(runtime, [detail])
    to_six, to_nothing = corrected(detail, figures("6", "200")), corrected(detail, zero(detail), n=2)
    await at_once(
        runtime,
        lambda: told(runtime, *invoice([to_six], n=2, kind="corrective")),
        lambda: told(runtime, *invoice([to_nothing], n=3, kind="corrective")),
    )
    assert [row["status"] for row in await rows(runtime, "select status from postings order by number")] == [
        "posted", "posted", "blocked",
    ]  # fmt: skip
    assert [item["quantity"] for item in await items(runtime)] == [Decimal(2)]
    assert await violations(runtime) == []


async def test_what_came_back_is_on_another_invoice_while_its_corrective_is_corrected(runtime: Runtime) -> None:
    """A corrective of a corrective takes back what that one billed, nothing of what was returned and billed since."""
    detail = await on_draft(runtime)
    await confirm(runtime, [detail])
    to_six = corrected(detail, figures("6", "200"))
    await confirm(runtime, [to_six], n=2, kind="corrective")
    await all_ready(runtime)
    (rest,) = await drafted(runtime)
    to_nothing = corrected(to_six, zero(to_six), n=2)
    await at_once(
        runtime,
        lambda: told(runtime, *invoice([rest], n=3)),
        lambda: told(runtime, *invoice([to_nothing], n=4, kind="corrective")),
    )
    assert [(item["quantity"], item["billing_status"]) for item in await items(runtime)] == [(Decimal(6), "unbilled")]
    assert await value(runtime, "select sum(quantity) from actuals where type = 'billed_sales'") == Decimal(2)
    assert await violations(runtime) == []


async def test_accepting_a_blocked_corrective_bills_the_difference(api: MakeApi) -> None:
    """Its original cannot be found: on a person's word what is billed beyond it, or less, is posted as it is."""
    backlog = await api("billing-backlog")
    await firm(backlog.runtime)
    detail = await on_draft(backlog.runtime)
    await confirm(backlog.runtime, [detail])
    await confirm(backlog.runtime, [corrected(detail, zero(detail))], n=2, kind="corrective")
    late = corrected(detail, figures("6", "200"), n=2)
    (chunk,) = await confirm(backlog.runtime, [late], n=3, kind="corrective")
    answer = await backlog.as_("admin").post(
        f"/v1/postings/{chunk.invoice_id}/accept", json={"reason": "agreed by phone"}, headers={"If-Match": "*"}
    )
    assert (answer.status_code, answer.json()["status"], answer.json()["accept_reason"]) == (
        200, "posted", "agreed by phone",
    )  # fmt: skip
    sql = "select quantity, amount, replaces, reverses from actuals where invoice_detail_id = $1"
    assert await rows(backlog.runtime, sql, late.detail_id) == [
        {"quantity": Decimal(-2), "amount": Decimal(-400), "replaces": None, "reverses": None}
    ]
    assert await violations(backlog.runtime) == []
