"""Claims become drafts: in pieces, out of order, twice, together, late, or not at all."""

import asyncio
import random
import uuid
from decimal import Decimal

import pytest

from invoicing.worker import HANDLERS
from proforma.events.billing_backlog import ItemsClaimed
from proforma.handlers import Handlers
from tests.conftest import MakeRuntime
from tests.invoicing.claimed import DAY, Claiming, Desk, claiming, item
from tests.support.events import DeadLettered, record_of


async def test_a_claim_opens_a_draft_with_a_line_per_contract_line(desk: Desk) -> None:
    claim = Claiming(lines=[uuid.uuid4(), uuid.uuid4()])
    claim.with_items(item(claim.lines[0]), item(claim.lines[0], "1.50", "99.99", tax=Decimal("28.50")))
    await desk.deliver(*claim.chunks())
    shown = await desk.show(claim.id)
    assert {name: shown[name] for name in ("status", "kind", "number", "posting", "details", "lines", "currency")} == {
        "status": "draft", "kind": "invoice", "number": None, "posting": "none", "details": 2, "lines": 2,
        "currency": "EUR",
    }  # fmt: skip
    assert (shown["subtotal"], shown["tax"], shown["total"]) == ("1749.99", "28.50", "1778.49")
    assert (shown["run_id"], shown["contract_id"]) == (str(claim.run_id), str(claim.contract_id))
    assert (shown["invoice_date"], shown["accounting_date"]) == ("2026-03-02", None)
    assert shown["customer"]["name"] == "Acme <Ltd>"
    billed, empty = sorted(await desk.lines(claim.id), key=lambda line: line["name"])
    assert (billed["contract_line_id"], billed["details"], billed["total"]) == (str(claim.lines[0]), 2, "1778.49")
    assert (empty["contract_line_id"], empty["details"], empty["total"]) == (str(claim.lines[1]), 0, "0.00")
    assert billed["cut_off"] == DAY.isoformat()


async def test_a_detail_shows_all_that_the_item_has(desk: Desk) -> None:
    claim = Claiming()
    taken = item(claim.lines[0], "7.25", "120.5000", tax=Decimal("10.00"), category=None, product="X")
    await desk.deliver(*claim.with_items(taken).chunks())
    (detail,) = await desk.details(claim.id)
    assert detail.pop("id")
    later = ("was", "remainder", "written_off_from", "original_detail_id", "original_quantity", "original_amount",
             "delta_amount", "replaced_by")  # fmt: skip
    assert detail == dict.fromkeys(later) | {
        "contract_line_id": str(claim.lines[0]), "class": "time", "source": "backlog", "claim_id": str(claim.id),
        "item_id": str(taken.id), "entry_id": str(taken.entry_id), "project": "P1", "task": "T1", "resource": "ann",
        "role": "developer", "category": None, "product": "X", "description": "internal",
        "external_description": "Work", "date": "2026-02-27", "quantity": "7.25", "unit": "hour", "price": "120.50",
        "amount": "873.63", "tax": "10.00", "currency": "EUR", "billing_type": "chargeable",
    }  # fmt: skip


async def test_a_draft_is_building_until_the_last_chunk_is_in(desk: Desk) -> None:
    claim = claiming(5)
    first, second, third = claim.chunks(2)
    await desk.deliver(third)
    shown = await desk.show(claim.id)
    assert (shown["status"], shown["details"], shown["total"]) == ("building", 1, "1600.00")
    assert (await desk.confirm(shown)).status_code == 409
    await desk.deliver(first)
    assert (await desk.show(claim.id))["status"] == "building"
    assert await desk.said("invoice.drafted") == []
    await desk.deliver(second)
    whole = await desk.show(claim.id)
    assert (whole["status"], whole["details"], whole["total"]) == ("draft", 5, "8000.00")
    assert await desk.said("invoice.drafted") == [
        {
            "invoice_id": str(claim.id), "contract_id": str(claim.contract_id), "run_id": str(claim.run_id),
            "currency": "EUR", "invoice_date": "2026-03-02",
            "totals": {"count": 5, "quantity": "40.00", "amount": "8000.00", "tax": "0.00"},
            "claims": [{"claim_id": str(claim.id), "items": 5}],
        }
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
async def test_shuffled_repeated_and_interleaved_chunks_make_the_same_drafts(desk: Desk, seed: int) -> None:
    dice = random.Random(seed)
    claims = [claiming(7), claiming(4), claiming(1)]
    claims.append(claims[0].again())
    claims[3].with_items(*(item(claims[0].lines[0]) for _ in range(5)))
    told = [chunk for claim in claims for chunk in claim.chunks(2)]
    twice = [*told, *told]
    dice.shuffle(twice)
    while twice:
        size = dice.randint(1, 6)
        # A repeat that has another event id, as when the producer tells its claim again.
        await desk.deliver(*twice[:size])
        twice = twice[size:]
    rows = await desk.sql("select status, details, total, version from invoices order by details")
    assert [(row["status"], row["details"], row["total"]) for row in rows] == [
        ("draft", 1, Decimal(1600)), ("draft", 4, Decimal(6400)), ("draft", 12, Decimal(19200)),
    ]  # fmt: skip
    items = [one.id for claim in claims for one in claim.items]
    stored = await desk.sql("select item_id from invoice_details")
    assert sorted(row["item_id"] for row in stored) == sorted(items)


async def test_the_same_event_twice_changes_nothing(desk: Desk) -> None:
    claim = claiming(3)
    records = [record_of(chunk) for chunk in claim.chunks(2)]
    await desk.deliver(*records, *records)
    before = await desk.show(claim.id)
    await desk.deliver(*records)
    assert await desk.show(claim.id) == before
    assert before["details"] == 3


async def test_a_claim_that_is_told_again_is_answered_again(desk: Desk) -> None:
    claim = claiming(3)
    first, second = claim.chunks(2)
    await desk.deliver(first, first)
    assert await desk.said("invoice.drafted") == []
    await desk.deliver(second)
    before = await desk.show(claim.id)
    # The answer may have got lost: billing-backlog asks by telling the claim again, under new event ids.
    await desk.deliver(first, second)
    assert await desk.show(claim.id) == before
    said = await desk.said("invoice.drafted")
    assert len(said) == 2
    assert said[0] == said[1]
    await desk.confirm(before)
    await desk.deliver(first)
    assert (await desk.said("invoice.drafted"))[2] == said[0]


async def test_a_claim_that_joins_a_draft_in_building_is_answered_when_all_is_in(desk: Desk) -> None:
    first = claiming(1)
    second = first.again().with_items(item(first.lines[0]), item(first.lines[0]))
    one, two = second.chunks(1)
    await desk.deliver(*first.chunks())
    await desk.deliver(one, *first.chunks())
    assert len(await desk.said("invoice.drafted")) == 1
    await desk.deliver(two)
    assert [len(body["claims"]) for body in await desk.said("invoice.drafted")] == [1, 2]


async def test_a_second_claim_joins_the_draft_and_takes_it_out_of_review(desk: Desk) -> None:
    first = claiming(2)
    await desk.deliver(*first.chunks())
    shown = await desk.show(first.id)
    reviewed = await desk.biller.patch(
        f"/v1/invoices/{first.id}", json={"status": "in_review"}, headers={"If-Match": f'"{shown["version"]}"'}
    )
    assert reviewed.json()["status"] == "in_review"
    second = first.again().with_items(item(first.lines[0]), item(first.lines[0]))
    one, two = second.chunks(1)
    await desk.deliver(two)
    building = await desk.show(first.id)
    assert (building["status"], building["version"]) == ("building", reviewed.json()["version"] + 1)
    # The approval of what was there before must not hold for what is there now.
    assert (await desk.confirm(reviewed.json())).status_code == 409
    await desk.deliver(one)
    whole = await desk.show(first.id)
    assert (whole["status"], whole["details"], whole["version"]) == ("draft", 4, building["version"] + 1)
    assert (await desk.confirm(reviewed.json())).status_code == 412
    last = (await desk.said("invoice.drafted"))[-1]
    assert last["claims"] == [
        {"claim_id": str(claim.id), "items": 2} for claim in sorted([first, second], key=lambda claim: claim.id)
    ]


@pytest.mark.parametrize("end", ["confirm", "discard"])
async def test_a_claim_that_comes_late_opens_another_draft(desk: Desk, end: str) -> None:
    first = claiming(1)
    await desk.deliver(*first.chunks())
    shown = await desk.show(first.id)
    done = await desk.manager.post(f"/v1/invoices/{first.id}/{end}", headers={"If-Match": f'"{shown["version"]}"'})
    assert done.status_code == 200
    late = first.again().with_items(item(first.lines[0], "2.00"))
    await desk.deliver(*late.chunks())
    assert await desk.show(first.id) == done.json()
    opened = await desk.show(late.id)
    assert (opened["status"], opened["details"], opened["run_id"]) == ("draft", 1, str(first.run_id))


async def test_two_claims_of_a_run_at_once_share_one_draft(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("invoicing")
    claims = [claiming(1)]
    claims += [claims[0].again().with_items(item(claims[0].lines[0])) for _ in range(3)]
    together = asyncio.Barrier(len(claims))

    async def worker(claim: Claiming) -> None:
        async with runtime.database.transaction() as session:
            await together.wait()
            handler = HANDLERS.of(ItemsClaimed.TYPE)
            assert handler is not None
            await Handlers().apply(session, runtime.context(), handler, [record_of(claim.chunks()[0])])

    await asyncio.gather(*(worker(claim) for claim in claims))
    desk = Desk(runtime, None)  # type: ignore[arg-type]
    (row,) = await desk.sql("select id, status, details, lines from invoices")
    assert row["id"] in {claim.id for claim in claims}
    assert (row["status"], row["details"], row["lines"]) == ("draft", 4, 1)


async def test_a_chunk_that_cannot_be_true_is_set_aside_alone(desk: Desk) -> None:
    good, bad, other = claiming(1), claiming(3), claiming(1)
    first, second = bad.chunks(2)
    wrong = second.model_copy(update={"chunks": 5})
    with pytest.raises(DeadLettered, match="another chunks"):
        await desk.deliver(*good.chunks(), first, wrong, *other.chunks())
    assert (await desk.show(good.id))["status"] == "draft"
    assert (await desk.show(other.id))["status"] == "draft"
    assert (await desk.show(bad.id))["status"] == "building"
    await desk.deliver(second)
    assert (await desk.show(bad.id))["details"] == 3


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"amount": Decimal("0.005")}, "not an amount in EUR"),
        ({"tax": Decimal("0.001")}, "not an amount in EUR"),
        ({"contract_line_id": uuid.uuid4()}, "does not name"),
    ],
)
async def test_an_item_that_cannot_be_billed_exactly_is_set_aside(
    desk: Desk, change: dict[str, object], because: str
) -> None:
    claim = claiming(1)
    (chunk,) = claim.chunks()
    broken = chunk.model_copy(update={"items": [chunk.items[0].model_copy(update=change)]})
    with pytest.raises(DeadLettered, match=because):
        await desk.deliver(broken)
    assert await desk.sql("select 1 from invoices") == []
    await desk.deliver(chunk)
    assert (await desk.show(claim.id))["status"] == "draft"


async def test_chunks_that_do_not_add_up_never_become_a_whole_draft(desk: Desk) -> None:
    claim = claiming(3)
    first, second = claim.chunks(2)
    short = second.model_copy(update={"claim": claim.claim(4)})
    with pytest.raises(DeadLettered, match="another items"):
        await desk.deliver(first, short)
    lying = [chunk.model_copy(update={"claim": claim.again().claim(4)}) for chunk in claim.again().with_items(
        *claiming(3, lines=claim.lines).items).chunks(2)]  # fmt: skip
    lying[1] = lying[1].model_copy(update={"claim": lying[0].claim})
    with pytest.raises(DeadLettered, match="announced 4 items; 2 of 2 chunks hold 3"):
        await desk.deliver(*lying)


async def test_a_run_of_two_contracts_or_currencies_is_refused(desk: Desk) -> None:
    first = claiming(1)
    await desk.deliver(*first.chunks())
    for other in (
        claiming(1, run_id=first.run_id),
        claiming(1, run_id=first.run_id, contract_id=first.contract_id, currency="USD"),
    ):
        with pytest.raises(DeadLettered, match="of the run is of contract"):
            await desk.deliver(*other.chunks())
    assert (await desk.show(first.id))["details"] == 1


async def test_amounts_of_a_currency_without_cents(desk: Desk) -> None:
    shown = await desk.draft(3, currency="JPY")
    assert (shown["subtotal"], shown["tax"], shown["total"]) == ("4800", "0", "4800")
    assert (await desk.details(shown["id"]))[0]["amount"] == "1600"


async def test_details_keep_the_order_of_arrival(desk: Desk) -> None:
    claim = claiming(9)
    first, second, third = claim.chunks(3)
    await desk.deliver(second, first, third)
    arrived = [str(one.id) for chunk in (second, first, third) for one in chunk.items]
    assert [detail["item_id"] for detail in await desk.details(claim.id)] == arrived


async def test_history_tells_what_came(desk: Desk) -> None:
    shown = await desk.draft(2)
    opened, joined = await desk.history(shown["id"])
    assert (opened["action"], opened["by"]) == ("opened", "invoicing")
    assert (joined["action"], joined["after"]) == ("claim_added", {"claim_id": shown["id"], "items": 2})


async def test_building_waits_in_sight(desk: Desk) -> None:
    claim = claiming(2)
    first, second = claim.chunks(1)
    await desk.deliver(first)
    waiting = (await desk.admin.get("/v1/waiting")).json()["items"]
    (building,) = [one for one in waiting if one["kind"] == "invoice_building"]
    assert (building["id"], building["since"]) == (str(claim.id), "2026-03-02T09:00:00Z")
    asked = await desk.admin.post(f"/v1/waiting/{claim.id}/ask")
    assert asked.status_code == 409
    await desk.deliver(second)
    kinds = {one["kind"] for one in (await desk.admin.get("/v1/waiting")).json()["items"]}
    assert "invoice_building" not in kinds
