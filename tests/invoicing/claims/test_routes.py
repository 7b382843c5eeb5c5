"""Giving claims back: one from a draft, all by discarding it, or one that never wholly came."""

import uuid
from typing import Any

import pytest

from proforma.envelope import Record
from tests.invoicing.claimed import Claiming, Desk, claiming, item
from tests.support.events import DeadLettered, record_of

ANY = {"If-Match": "*"}


async def drop(desk: Desk, claim: Claiming, invoice_id: uuid.UUID) -> Any:
    return await desk.biller.post(f"/v1/invoices/{invoice_id}/claims/{claim.id}/drop", headers=ANY)


async def two_claims(desk: Desk) -> tuple[Claiming, Claiming]:
    first = claiming(2)
    second = first.again().with_items(item(first.lines[0], "1.00"))
    await desk.deliver(*first.chunks(), *second.chunks())
    return first, second


async def test_a_dropped_claim_leaves_with_its_details_only(desk: Desk) -> None:
    first, second = await two_claims(desk)
    before = await desk.show(first.id)
    answer = await desk.biller.post(
        f"/v1/invoices/{first.id}/claims/{first.id}/drop",
        json={"reason": "wrong period"},
        headers={"If-Match": f'"{before["version"]}"'},
    )
    shown = answer.json()
    assert (shown["status"], shown["details"], shown["total"]) == ("draft", 1, "200.00")
    assert answer.headers["etag"] == f'"{before["version"] + 1}"'
    assert [detail["claim_id"] for detail in await desk.details(first.id)] == [str(second.id)]
    assert await desk.said("invoice.claim-dropped") == [
        {
            "invoice_id": str(first.id), "contract_id": str(first.contract_id), "claim_id": str(first.id),
            "by": "biller", "at": "2026-03-02T09:00:00Z",
        }
    ]  # fmt: skip
    entry = (await desk.history(first.id))[-1]
    assert (entry["action"], entry["reason"], entry["before"]["details"]) == ("claim_dropped", "wrong period", 2)


async def test_dropping_what_was_waited_for_ends_building(desk: Desk) -> None:
    first = claiming(1)
    second = first.again().with_items(item(first.lines[0]), item(first.lines[0]))
    one, two = second.chunks(1)
    await desk.deliver(*first.chunks(), one)
    assert (await desk.show(first.id))["status"] == "building"
    shown = (await drop(desk, second, first.id)).json()
    assert (shown["status"], shown["details"]) == ("draft", 1)
    kinds = [sent.type for sent in await desk.events()]
    assert kinds[-2:] == ["proforma.invoicing.invoice.claim-dropped.v1", "proforma.invoicing.invoice.drafted.v1"]
    assert (await desk.said("invoice.drafted"))[-1]["claims"] == [{"claim_id": str(first.id), "items": 1}]
    await desk.deliver(two)
    assert await desk.show(first.id) == shown


async def test_a_draft_whose_only_claim_is_dropped_has_nothing_to_confirm(desk: Desk) -> None:
    claim = claiming(2)
    await desk.deliver(claim.chunks(1)[0])
    shown = (await drop(desk, claim, claim.id)).json()
    assert (shown["status"], shown["details"], shown["total"]) == ("draft", 0, "0.00")
    assert await desk.said("invoice.drafted") == []
    refused = await desk.confirm(shown)
    assert (refused.status_code, refused.json()["reason"]) == (409, "no_details")
    # The run's draft is still open: what is claimed later comes on to it.
    later = claim.again().with_items(item(claim.lines[0]))
    await desk.deliver(*later.chunks())
    assert (await desk.show(claim.id))["details"] == 1


async def test_a_dropped_claim_that_is_told_again_is_answered_again(desk: Desk) -> None:
    first, second = await two_claims(desk)
    await drop(desk, second, first.id)
    before = await desk.show(first.id)
    await desk.deliver(*second.chunks())
    assert await desk.show(first.id) == before
    told, again = await desk.said("invoice.claim-dropped")
    assert (again["claim_id"], again["invoice_id"]) == (told["claim_id"], told["invoice_id"])


async def test_a_claim_is_dropped_once(desk: Desk) -> None:
    first, second = await two_claims(desk)
    assert (await drop(desk, first, first.id)).status_code == 200
    again = await drop(desk, first, first.id)
    assert (again.status_code, again.json()["state"]) == (409, "dropped")
    assert len(await desk.said("invoice.claim-dropped")) == 1
    assert (await drop(desk, claiming(1), first.id)).status_code == 404
    assert (await drop(desk, second, uuid.uuid4())).status_code == 404


async def test_a_claim_of_another_invoice_is_not_found(desk: Desk) -> None:
    ours, theirs = claiming(1), claiming(1)
    await desk.deliver(*ours.chunks(), *theirs.chunks())
    assert (await drop(desk, theirs, ours.id)).status_code == 404
    assert (await desk.show(theirs.id))["details"] == 1


@pytest.mark.parametrize("building", [False, True])
async def test_discarding_releases_every_claim_and_keeps_the_record(desk: Desk, building: bool) -> None:
    first, second = await two_claims(desk)
    third = first.again().with_items(item(first.lines[0]), item(first.lines[0]))
    *early, last = third.chunks(1)
    if building:
        await desk.deliver(*early)
    before = await desk.show(first.id)
    answer = await desk.biller.post(f"/v1/invoices/{first.id}/discard", json={"reason": "customer left"}, headers=ANY)
    shown = answer.json()
    assert (shown["status"], shown["number"], shown["posting"]) == ("discarded", None, "none")
    assert (shown["total"], shown["version"]) == (before["total"], before["version"] + 1)
    assert len(await desk.details(first.id)) == before["details"]
    claims = {first.id, second.id} | ({third.id} if building else set())
    (said,) = await desk.said("invoice.discarded")
    assert sorted(said["claims"]) == sorted(map(str, claims))
    assert (said["by"], said["contract_id"]) == ("biller", str(first.contract_id))
    entry = (await desk.history(first.id))[-1]
    assert (entry["action"], entry["reason"]) == ("discarded", "customer left")
    if building:
        await desk.deliver(last, *third.chunks(1))
        assert await desk.show(first.id) == shown
        assert len(await desk.sql("select 1 from invoices")) == 1


async def test_a_dropped_claim_stays_dropped_when_the_draft_is_discarded(desk: Desk) -> None:
    first, second = await two_claims(desk)
    await drop(desk, first, first.id)
    await desk.biller.post(f"/v1/invoices/{first.id}/discard", headers=ANY)
    assert [body["claims"] for body in await desk.said("invoice.discarded")] == [[str(second.id)]]


async def test_many_claims_are_named_in_several_events(desk: Desk) -> None:
    first = claiming(1)
    await desk.deliver(*first.chunks())
    for _ in range(3):
        more = [first.again().with_items(item(first.lines[0])) for _ in range(200)]
        await desk.deliver(*(chunk for claim in more for chunk in claim.chunks()))
    drafted = await desk.said("invoice.drafted")
    assert [len(body["claims"]) for body in drafted[-2:]] == [500, 101]
    await desk.biller.post(f"/v1/invoices/{first.id}/discard", headers=ANY)
    assert [len(body["claims"]) for body in await desk.said("invoice.discarded")] == [500, 101]


@pytest.mark.parametrize("verb", ["discard", "drop"])
async def test_what_is_confirmed_is_not_given_back(desk: Desk, verb: str) -> None:
    invoice = await desk.confirmed(1)
    path = f"/v1/invoices/{invoice['id']}" + ("/discard" if verb == "discard" else f"/claims/{invoice['id']}/drop")
    answer = await desk.manager.post(path, headers=ANY)
    assert (answer.status_code, answer.json()["state"]) == (409, "confirmed")
    assert await desk.show(invoice["id"]) == invoice


async def test_preconditions_and_roles(desk: Desk) -> None:
    shown = await desk.draft(1)
    base = f"/v1/invoices/{shown['id']}"
    for path in (f"{base}/discard", f"{base}/claims/{shown['id']}/drop"):
        assert (await desk.biller.post(path)).status_code == 428
        assert (await desk.biller.post(path, headers={"If-Match": '"1"'})).status_code == 412
        assert (await desk.biller.post(path, headers={"If-Match": "one"})).status_code == 422
        assert (await desk.biller.post(path, headers=ANY, json={"why": "x"})).status_code == 422
        assert (await desk.api.as_("approver").post(path, headers=ANY)).status_code == 403
    assert await desk.show(shown["id"]) == shown


async def given_up(desk: Desk, broken: Record, status: int = 200) -> Any:
    """Lets a message become a dead letter and drops it."""
    with pytest.raises(DeadLettered):
        await desk.deliver(broken)
    letters = (await desk.admin.get("/v1/dead-letters", params={"status": "waiting"})).json()["items"]
    answer = await desk.admin.post(f"/v1/dead-letters/{letters[-1]['id']}/drop", json={"reason": "cannot be repaired"})
    assert answer.status_code == status, answer.text
    return answer.json()


def poisoned(claim: Claiming, number: int) -> Record:
    """A chunk whose items nobody can read, though its claim can be."""
    chunk = claim.chunks(1)[number - 1]
    return record_of(chunk.model_copy(update={"items": []}))


async def test_giving_a_chunk_up_drops_its_whole_claim(desk: Desk) -> None:
    claim = claiming(3)
    first, _, third = claim.chunks(1)
    await desk.deliver(first)
    await given_up(desk, poisoned(claim, 2))
    shown = await desk.show(claim.id)
    assert (shown["status"], shown["details"]) == ("draft", 0)
    (said,) = await desk.said("invoice.claim-dropped")
    assert (said["claim_id"], said["invoice_id"], said["by"]) == (str(claim.id), str(claim.id), "admin")
    await desk.deliver(third)
    assert await desk.show(claim.id) == shown


async def test_giving_up_the_first_chunk_of_an_unknown_claim_drops_what_comes_later(desk: Desk) -> None:
    claim = claiming(2)
    await given_up(desk, poisoned(claim, 1))
    (said,) = await desk.said("invoice.claim-dropped")
    assert (said["claim_id"], said["invoice_id"]) == (str(claim.id), None)
    await desk.deliver(*claim.chunks(1))
    assert await desk.sql("select 1 from invoices") == []
    assert await desk.sql("select 1 from invoice_details") == []


async def test_two_chunks_given_up_drop_their_claim_once(desk: Desk) -> None:
    claim = claiming(2)
    await given_up(desk, poisoned(claim, 1))
    await given_up(desk, poisoned(claim, 2))
    assert len(await desk.said("invoice.claim-dropped")) == 1


async def test_a_whole_claim_loses_nothing_with_a_false_chunk(desk: Desk) -> None:
    claim = claiming(2)
    await desk.deliver(*claim.chunks(1))
    before = await desk.show(claim.id)
    await given_up(desk, poisoned(claim, 1))
    assert await desk.show(claim.id) == before
    assert await desk.said("invoice.claim-dropped") == []


async def test_a_message_that_names_no_claim_cannot_be_given_up(desk: Desk) -> None:
    record = record_of(claiming(1).chunks()[0])
    broken = Record(record.topic, 0, 0, record.key, record.headers, b"{")
    refused = await given_up(desk, broken, 409)
    assert "repaired body" in refused["detail"]


async def test_a_poisoned_chunk_can_be_repaired_and_replayed(desk: Desk) -> None:
    claim = claiming(1)
    record = record_of(claim.chunks()[0])
    with pytest.raises(DeadLettered):
        await desk.deliver(Record(record.topic, 0, 0, record.key, record.headers, b"{"))
    (letter,) = (await desk.admin.get("/v1/dead-letters")).json()["items"]
    body = claim.chunks()[0].model_dump_json()
    replayed = await desk.admin.post(f"/v1/dead-letters/{letter['id']}/replay", json={"body": body})
    assert replayed.status_code == 200, replayed.text
    assert (await desk.show(claim.id))["status"] == "draft"
