"""The product backlog over HTTP."""

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters
from tests.billing_backlog.milestones.standings import put_on_invoice
from tests.support.api import Api

URL = "/v1/product-backlog"


@pytest.mark.parametrize(
    ("before", "verb", "outcome", "after"),
    [
        ("unbilled", "mark-ready", "changed", "ready"),
        ("ready", "mark-ready", "unchanged", "ready"),
        ("on_invoice", "mark-ready", "on_invoice", "on_invoice"),
        ("posted", "mark-ready", "posted", "posted"),
        ("canceled", "mark-ready", "canceled", "canceled"),
        ("unbilled", "unmark-ready", "unchanged", "unbilled"),
        ("ready", "unmark-ready", "changed", "unbilled"),
        ("on_invoice", "unmark-ready", "on_invoice", "on_invoice"),
        ("posted", "unmark-ready", "posted", "posted"),
        ("canceled", "unmark-ready", "canceled", "canceled"),
    ],
)
async def test_every_move(runtime: Runtime, desk: Masters, before: str, verb: str, outcome: str, after: str) -> None:
    contract, _ = await desk.active()
    made = await desk.product(contract)
    if before == "ready":
        await desk.mark("product-backlog", made)
    elif before == "canceled":
        await desk.verb(contract["id"], "close")
    elif before != "unbilled":
        await put_on_invoice(runtime, desk, contract, made, posted=before == "posted")
    told = await desk.mark("product-backlog", made, verb=verb)
    if outcome in ("changed", "unchanged"):
        assert (told[outcome], told["refused"]) == (1, [])
    else:
        assert [one["reason"] for one in told["refused"]] == [outcome]
    (shown,) = (await desk.biller.get(URL, params={"billing_status": after})).json()["items"]
    assert (shown["id"], shown["billing_status"]) == (made["id"], after)
    assert (await desk.biller.get(f"/v1/contract-lines/{made['id']}")).json()["billing_status"] == after


async def test_a_line_of_a_project_is_not_found_here(desk: Masters) -> None:
    _, line = await desk.active()
    told = await desk.mark("product-backlog", line)
    assert [one["reason"] for one in told["refused"]] == ["not_found"]


async def test_open_ones_are_listed_with_their_reasons(runtime: Runtime, desk: Masters) -> None:
    contract, _ = await desk.active()
    draft = await desk.contract()
    one, two = await desk.product(contract, tax="1"), await desk.product(contract, product="S1")
    three = await desk.product(draft)
    four = await desk.product(contract)
    await desk.mark("product-backlog", two)
    await put_on_invoice(runtime, desk, contract, four, posted=True)
    shown = (await desk.biller.get(URL)).json()["items"]
    assert [(item["id"], item["reasons"]) for item in shown] == [
        (one["id"], ["not_ready", "schedule_missing"]), (two["id"], ["schedule_missing"]),
        (three["id"], ["not_ready", "contract_not_active"])
    ]  # fmt: skip
    first = shown[0]
    wanted = {"class": "product", "name": "Routers", "product": "R9", "quantity": "10", "unit": "each",
              "price": "50", "amount": "500.00", "tax": "1", "currency": "EUR", "date": "2026-03-02",
              "contract_id": contract["id"], "contract_line_id": one["id"], "invoice_id": None}  # fmt: skip
    assert {name: first[name] for name in wanted} == wanted
    for params, ids in (
        ({"contract_id": draft["id"]}, [three["id"]]),
        ({"contract_line_id": two["id"]}, [two["id"]]),
        ({"product": "S1"}, [two["id"]]),
        ({"billing_status": "ready"}, [two["id"]]),
        ({"billing_status": "posted"}, [four["id"]]),
        ({"contract_id": contract["id"], "reason": "not_ready"}, [one["id"]]),
        ({"contract_line_id": three["id"], "reason": "contract_not_active"}, [three["id"]]),
        ({"date_from": "2026-03-03"}, []),
        ({"date_to": "2026-03-02"}, [one["id"], two["id"], three["id"]]),
    ):
        assert [item["id"] for item in (await desk.biller.get(URL, params=params)).json()["items"]] == ids
    assert (await desk.biller.get(URL, params={"reason": "not_ready"})).status_code == 422
    page = (await desk.biller.get(URL, params={"limit": 2})).json()
    rest = (await desk.biller.get(URL, params={"limit": 2, "after": page["next"]})).json()
    assert [len(page["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]


async def test_a_filter_moves_those_that_are_open(desk: Masters) -> None:
    contract, _ = await desk.active()
    await desk.product(contract)
    await desk.product(await desk.contract())
    answer = await desk.biller.post(f"{URL}/mark-ready", json={"filter": {"contract_id": contract["id"]}})
    assert answer.json() == {"changed": 1, "unchanged": 0, "refused": []}


async def test_who_may(client: Api) -> None:
    assert (await client.as_("submitter").get(URL)).status_code == 403
    for role in ("approver", "service"):
        assert (await client.as_(role).get(URL)).status_code == 200
        for verb in ("mark-ready", "unmark-ready"):
            assert (await client.as_(role).post(f"{URL}/{verb}", json={"filter": {}})).status_code == 403
