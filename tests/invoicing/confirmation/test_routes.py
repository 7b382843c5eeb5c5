"""Confirming over HTTP, and what the ledger is told."""

import uuid
from decimal import Decimal
from typing import Any

from proforma.events.billing_backlog import ControlTotals
from proforma.events.invoicing import ConfirmedDetail, DetailFigures, InvoiceConfirmed
from tests.invoicing.claimed import Claiming, Desk, claiming, item


async def test_a_confirmed_invoice_has_a_number_and_waits_for_the_ledger(desk: Desk) -> None:
    draft = await desk.draft(2)
    answer = await desk.confirm(draft)
    assert answer.status_code == 200
    shown = answer.json()
    assert answer.headers["etag"] == f'"{draft["version"] + 1}"'
    changed = {name: value for name, value in shown.items() if draft[name] != value}
    assert changed == {
        "status": "confirmed", "number": "PF-2026-000001", "accounting_date": "2026-03-02", "posting": "pending",
        "confirmed_by": "manager", "confirmed_at": "2026-03-02T09:00:00Z", "version": draft["version"] + 1,
    }  # fmt: skip
    assert await desk.show(draft["id"]) == shown
    entry = (await desk.history(draft["id"]))[-1]
    assert (entry["action"], entry["by"], entry["before"]) == ("confirmed", "manager", {"status": "draft"})
    assert (entry["after"]["status"], entry["after"]["total"]) == ("confirmed", "3200.00")


async def test_the_ledger_is_told_every_detail(desk: Desk) -> None:
    claim = Claiming()
    taken = [
        item(claim.lines[0], "7.25", "120.125", tax=Decimal("10.00")),
        item(claim.lines[0], "1.00", "400", billing_type="non_chargeable"),
    ]
    await desk.deliver(*claim.with_items(*taken).chunks())
    shown = (await desk.confirm(await desk.show(claim.id))).json()
    (body,) = await desk.said("invoice.confirmed")
    told = InvoiceConfirmed.model_validate(body)
    assert told.model_dump(exclude={"details", "totals"}) == {
        "invoice_id": claim.id, "number": shown["number"], "kind": "invoice", "original_id": None,
        "contract_id": claim.contract_id, "customer_id": uuid.UUID(int=7), "run_id": claim.run_id, "currency": "EUR",
        "invoice_date": claim.run_date, "accounting_date": claim.run_date, "confirmed_by": "manager",
        "confirmed_at": desk.runtime.clock.now(), "chunk": 1, "chunks": 1,
    }  # fmt: skip
    # Control totals are over every detail, also those that nobody pays.
    assert told.totals == ControlTotals(
        count=2, quantity=Decimal("8.25"), amount=Decimal("1270.91"), tax=Decimal("10.00")
    )
    shown_details = {detail["item_id"]: detail for detail in await desk.details(claim.id)}
    for sent, one in zip(told.details, taken, strict=True):
        figures = DetailFigures(
            quantity=one.quantity, price=one.price, amount=one.amount, tax=one.tax, billing_type=one.billing_type
        )
        assert sent == ConfirmedDetail(
            detail_id=shown_details[str(one.id)]["id"],
            item_id=one.id,
            claim_id=claim.id,
            source="backlog",
            item_class="time",
            contract_line_id=claim.lines[0],
            was=figures,
            now=figures,
        )
    assert body["details"][0]["now"]["price"] == "120.125"
    assert (await desk.events())[-1].key == str(claim.contract_id)


async def test_a_large_invoice_is_told_in_chunks(desk: Desk) -> None:
    shown = await desk.confirmed(1_201)
    told = await desk.said("invoice.confirmed")
    assert [(body["chunk"], body["chunks"], len(body["details"])) for body in told] == [
        (1, 3, 500), (2, 3, 500), (3, 3, 201),
    ]  # fmt: skip
    assert {body["totals"]["count"] for body in told} == {1_201}
    assert {body["totals"]["amount"] for body in told} == {"1921600.00"} == {shown["subtotal"]}
    ids = [detail["detail_id"] for body in told for detail in body["details"]]
    assert ids == [detail["id"] for detail in await desk.details(shown["id"])]
    for body in told:
        InvoiceConfirmed.model_validate(body)


async def test_500_of_the_longest_details_fit_a_chunk(desk: Desk) -> None:
    claim = Claiming()
    longest = {
        "source": "milestone", "item_class": "milestone", "billing_type": "non_chargeable",
        "amount": Decimal("999999999999.99"), "tax": Decimal("999999999999.99"),
    }  # fmt: skip
    claim.with_items(*(item(claim.lines[0], "999999.99", "999999999.9999", **longest) for _ in range(500)))
    await desk.deliver(*claim.chunks(50))
    assert (await desk.confirm(await desk.show(claim.id))).status_code == 200
    rows = await desk.sql("select octet_length(body) as bytes from outbox where type like '%confirmed%'")
    assert [row["bytes"] < desk.runtime.settings.limits.chunk_bytes_max for row in rows] == [True]
    (body,) = await desk.said("invoice.confirmed")
    assert InvoiceConfirmed.model_validate(body).totals.quantity == Decimal("499999995.00")


async def test_confirm_needs_the_version_that_was_reviewed(desk: Desk) -> None:
    shown = await desk.draft(1)
    path = f"/v1/invoices/{shown['id']}/confirm"
    for match, status in ((None, 428), ("*", 428), ('"1"', 412), ('"99"', 412), ("now", 422)):
        answer = await desk.manager.post(path, headers={} if match is None else {"If-Match": match})
        assert answer.status_code == status, match
    assert await desk.show(shown["id"]) == shown


async def test_who_confirms_twice_hears_that_it_is_confirmed(desk: Desk) -> None:
    draft = await desk.draft(1)
    first, second = await desk.confirm(draft), await desk.confirm(draft)
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["reason"] == "wrong_state"
    assert "confirmed" in second.json()["detail"]
    assert len(await desk.said("invoice.confirmed")) == 1


async def test_the_same_key_confirms_once_and_answers_twice(desk: Desk) -> None:
    draft = await desk.draft(1)
    path = f"/v1/invoices/{draft['id']}/confirm"
    headers = {"If-Match": f'"{draft["version"]}"', "Idempotency-Key": "once"}
    first = await desk.manager.post(path, headers=headers)
    again = await desk.manager.post(path, headers=headers)
    assert first.json() == again.json()
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert len(await desk.said("invoice.confirmed")) == 1


async def test_dates_that_were_set_stay_and_name_the_year(desk: Desk) -> None:
    draft = await desk.draft(1)
    edited = await desk.biller.patch(
        f"/v1/invoices/{draft['id']}",
        json={"invoice_date": "2025-12-31", "accounting_date": "2026-01-02"},
        headers={"If-Match": "*"},
    )
    shown = (await desk.confirm(edited.json())).json()
    assert (shown["number"], shown["invoice_date"], shown["accounting_date"]) == (
        "PF-2025-000001", "2025-12-31", "2026-01-02",
    )  # fmt: skip
    assert (await desk.confirmed(1))["number"] == "PF-2026-000001"


async def test_numbers_grow_beyond_six_digits(desk: Desk) -> None:
    await desk.sql("insert into invoice_numbers (year, last) values (2026, 999998)")
    assert [(await desk.confirmed(1))["number"] for _ in range(3)] == [
        "PF-2026-999999", "PF-2026-1000000", "PF-2026-1000001",
    ]  # fmt: skip


async def test_an_invoice_of_nothing_but_gifts_is_confirmed_at_zero(desk: Desk) -> None:
    claim = Claiming()
    claim.with_items(item(claim.lines[0], billing_type="complimentary"))
    await desk.deliver(*claim.chunks())
    shown = (await desk.confirm(await desk.show(claim.id))).json()
    assert (shown["status"], shown["total"]) == ("confirmed", "0.00")


async def test_bulk_confirm_names_what_it_refuses(desk: Desk) -> None:
    good, also, stale, empty, gone = [await desk.draft(1) for _ in range(5)]
    building = claiming(2)
    await desk.deliver(building.chunks(1)[0])
    done = await desk.confirmed(1)
    (detail,) = await desk.details(empty["id"])
    await desk.biller.delete(f"/v1/invoices/{empty['id']}/details/{detail['id']}", headers={"If-Match": "*"})
    await desk.biller.post(f"/v1/invoices/{gone['id']}/discard", headers={"If-Match": "*"})
    nobody = str(uuid.uuid4())
    items = [
        {"id": stale["id"], "version": stale["version"] - 1},
        {"id": good["id"], "version": good["version"]},
        {"id": empty["id"], "version": empty["version"] + 1},
        {"id": str(building.id), "version": 2},
        {"id": done["id"], "version": done["version"]},
        {"id": nobody, "version": 1},
        {"id": gone["id"], "version": gone["version"]},
        {"id": also["id"], "version": also["version"]},
    ]
    answer = await desk.manager.post("/v1/invoices/confirm", json={"items": items})
    body = answer.json()
    assert (answer.status_code, body["changed"], body["unchanged"]) == (200, 2, 1)
    assert [(one["id"], one["reason"]) for one in body["refused"]] == [
        (stale["id"], "stale"), (empty["id"], "no_details"), (str(building.id), "wrong_state"), (nobody, "not_found"),
        (gone["id"], "wrong_state"),
    ]  # fmt: skip
    # In the order in which they were named, behind the one that was confirmed before.
    assert (await desk.show(good["id"]))["number"] == "PF-2026-000002"
    assert (await desk.show(also["id"]))["number"] == "PF-2026-000003"
    assert len(await desk.said("invoice.confirmed")) == 3


async def test_bulk_confirm_over_two_years(desk: Desk) -> None:
    drafts = [await desk.draft(1) for _ in range(4)]
    for draft in drafts[::2]:
        await desk.biller.patch(
            f"/v1/invoices/{draft['id']}", json={"invoice_date": "2025-12-31"}, headers={"If-Match": "*"}
        )
    shown = [await desk.show(draft["id"]) for draft in drafts]
    items = [{"id": one["id"], "version": one["version"]} for one in shown]
    assert (await desk.manager.post("/v1/invoices/confirm", json={"items": items})).json()["changed"] == 4
    assert [(await desk.show(draft["id"]))["number"] for draft in drafts] == [
        "PF-2025-000001", "PF-2026-000001", "PF-2025-000002", "PF-2026-000002",
    ]  # fmt: skip


BAD_BODIES: list[tuple[dict[str, Any], str]] = [
    ({}, "/items"),
    ({"items": []}, "/items"),
    ({"items": [{"id": "x", "version": 1}]}, "/items/0/id"),
    ({"items": [{"id": str(uuid.UUID(int=1))}]}, "/items/0/version"),
    ({"items": [{"id": str(uuid.UUID(int=1)), "version": 0}]}, "/items/0/version"),
    ({"items": [{"id": str(uuid.UUID(int=1)), "version": 2**31}]}, "/items/0/version"),
    ({"items": [{"id": str(uuid.UUID(int=1)), "version": "*"}]}, "/items/0/version"),
    ({"items": [{"id": str(uuid.UUID(int=1)), "version": 1}] * 2}, "/items"),
    ({"items": [{"id": str(uuid.UUID(int=n)), "version": 1} for n in range(1001)]}, "/items"),
    ({"filter": {"status": "draft"}}, "/items"),
]


async def test_bulk_confirm_takes_reviewed_versions_and_nothing_else(desk: Desk) -> None:
    for body, pointer in BAD_BODIES:
        answer = await desk.manager.post("/v1/invoices/confirm", json=body)
        assert answer.status_code == 422, body
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_only_managers_confirm(desk: Desk) -> None:
    shown = await desk.draft(1)
    body = {"items": [{"id": shown["id"], "version": shown["version"]}]}
    for role in ("submitter", "approver", "biller", "service"):
        client = desk.api.as_(role)
        assert (
            await client.post(f"/v1/invoices/{shown['id']}/confirm", headers={"If-Match": '"2"'})
        ).status_code == 403
        assert (await client.post("/v1/invoices/confirm", json=body)).status_code == 403
    assert (await desk.admin.post("/v1/invoices/confirm", json=body)).json()["changed"] == 1


async def test_unknown_invoices_are_not_found(desk: Desk) -> None:
    answer = await desk.manager.post(f"/v1/invoices/{uuid.uuid4()}/confirm", headers={"If-Match": '"1"'})
    assert answer.status_code == 404
