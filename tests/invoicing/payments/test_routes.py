"""Marking as paid, and the whole table of an invoice's states and verbs (domain §2.7, §2.8)."""

import uuid
from typing import Any

import pytest

from tests.invoicing.claimed import Desk, claiming

STATES = ("building", "draft", "in_review", "pending", "blocked", "posted", "paid", "discarded")
#                     building draft in_review | confirmed, and the ledger: pending blocked posted | paid discarded
VERBS = {
    "edit":          (  409,   200,  200,                               409,    409,    409,     409, 409),
    "edit-detail":   (  409,   200,  200,                               409,    409,    409,     409, 409),
    "edit-details":  (  409,   200,  200,                               409,    409,    409,     409, 409),
    "remove-detail": (  409,   204,  204,                               409,    409,    409,     409, 409),
    "remove-details": ( 409,   200,  200,                               409,    409,    409,     409, 409),
    "add-detail":    (  409,   201,  201,                               409,    409,    409,     409, 409),
    "review":        (  409,   200,  200,                               409,    409,    409,     409, 409),
    "confirm":       (  409,   200,  200,                               409,    409,    409,     409, 409),
    "drop-claim":    (  200,   200,  200,                               409,    409,    409,     409, 409),
    "discard":       (  200,   200,  200,                               409,    409,    409,     409, 409),
    "mark-paid":     (  409,   409,  409,                               200,    200,    200,     409, 409),
    "correct":       (  409,   409,  409,                               409,    409,    201,     201, 409),
    "void":          (  409,   409,  409,                               409,    409,    201,     201, 409),
}  # fmt: skip
BECOMES = {
    "edit": "draft", "edit-detail": "draft", "edit-details": "draft", "remove-detail": "draft",
    "remove-details": "draft", "add-detail": "draft", "review": "in_review", "confirm": "confirmed",
    "drop-claim": "draft", "discard": "discarded", "mark-paid": "paid",
}  # fmt: skip


async def invoice_in(desk: Desk, state: str) -> dict[str, Any]:
    """An invoice of two details in one of STATES."""
    claim = claiming(2)
    await desk.deliver(*claim.chunks(1)[: 1 if state == "building" else 2])
    shown, any_version = await desk.show(claim.id), {"If-Match": "*"}
    if state == "in_review":
        path = f"/v1/invoices/{claim.id}"
        return dict((await desk.biller.patch(path, json={"status": "in_review"}, headers=any_version)).json())
    if state == "discarded":
        return dict((await desk.act("discard", claim.id)).json())
    if state in ("building", "draft"):
        return shown
    shown = (await desk.confirm(shown)).json()
    if state == "blocked":
        await desk.sql("update invoices set posting = 'blocked', version = version + 1 where id = $1", claim.id)
    if state in ("posted", "paid"):
        shown = await desk.posted(shown)
    if state == "paid":
        assert (await desk.act("mark-paid", claim.id)).status_code == 200
    return await desk.show(claim.id)


async def does(desk: Desk, verb: str, invoice: dict[str, Any]) -> Any:
    """Tries a verb on the invoice as it is."""
    path, headers = f"/v1/invoices/{invoice['id']}", {"If-Match": f'"{invoice["version"]}"'}
    (one, *_) = await desk.details(invoice["id"])
    hand = {"class": "time", "contract_line_id": one["contract_line_id"], "date": "2026-03-01", "quantity": "1",
            "price": "1"}  # fmt: skip
    ways: dict[str, tuple[str, str, Any]] = {
        "edit": ("PATCH", path, {"description": "x"}),
        "edit-detail": ("PATCH", f"{path}/details/{one['id']}", {"quantity": "4"}),
        "edit-details": ("POST", f"{path}/details/update", {"ids": [one["id"]], "quantity": "4"}),
        "remove-detail": ("DELETE", f"{path}/details/{one['id']}", None),
        "remove-details": ("POST", f"{path}/details/remove", {"ids": [one["id"]]}),
        "add-detail": ("POST", f"{path}/details", hand),
        "review": ("PATCH", path, {"status": "in_review"}),
        "drop-claim": ("POST", f"{path}/claims/{one['claim_id']}/drop", None),
    }
    method, where, body = ways.get(verb, ("POST", f"{path}/{verb}", None))
    return await desk.manager.request(method, where, json=body, headers=headers)


@pytest.mark.parametrize("state", STATES)
async def test_every_verb_in_every_state(desk: Desk, state: str) -> None:
    fresh = await invoice_in(desk, state)
    for verb, answers in VERBS.items():
        wanted = answers[STATES.index(state)]
        if wanted == 409:
            await refused(desk, verb, state, fresh)
        else:
            await done(desk, verb, state, wanted, await invoice_in(desk, state))


async def refused(desk: Desk, verb: str, state: str, invoice: dict[str, Any]) -> None:
    details = await desk.details(invoice["id"])
    answer = await does(desk, verb, invoice)
    late = verb in ("correct", "void") and state in ("pending", "blocked")
    assert (answer.status_code, answer.json()["reason"], answer.json()["state"]) == (
        409, "posting_pending" if late else "wrong_state", invoice["status"],
    ), verb  # fmt: skip
    assert (await desk.show(invoice["id"]), await desk.details(invoice["id"])) == (invoice, details)


async def done(desk: Desk, verb: str, state: str, wanted: int, invoice: dict[str, Any]) -> None:
    answer = await does(desk, verb, invoice)
    assert answer.status_code == wanted, (verb, answer.text)
    after = await desk.show(invoice["id"])
    if verb in ("correct", "void"):
        # The original stays what it is.
        assert after == invoice
        return
    assert after["status"] == BECOMES[verb], verb
    assert after["version"] == invoice["version"] + (0 if verb == "review" and state == "in_review" else 1), verb


async def test_paid_is_shown_with_who_said_so(desk: Desk) -> None:
    invoice = await desk.confirmed(1)
    answer = await desk.act("mark-paid", invoice["id"])
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{invoice["version"] + 1}"')
    shown = answer.json()
    assert {name for name, value in shown.items() if invoice[name] != value} == {"status", "version"}
    entry = (await desk.history(invoice["id"]))[-1]
    assert (entry["action"], entry["by"], entry["after"]) == ("marked_paid", "manager", {"status": "paid"})
    # The ledger may answer later still.
    assert (await desk.posted(shown))["posting"] == "posted"


async def test_many_are_marked_paid_each_for_itself(desk: Desk) -> None:
    confirmed, paid, draft = await desk.confirmed(1), await desk.confirmed(1), await desk.draft(1)
    await desk.act("mark-paid", paid["id"])
    unknown = str(uuid.uuid4())
    ids = [confirmed["id"], confirmed["id"], paid["id"], draft["id"], unknown]
    answer = await desk.manager.post("/v1/invoices/mark-paid", json={"ids": ids})
    body = answer.json()
    assert (body["changed"], body["unchanged"]) == (1, 1)
    assert [(one["id"], one["reason"]) for one in body["refused"]] == [
        (draft["id"], "wrong_state"), (unknown, "not_found"),
    ]  # fmt: skip
    assert [(await desk.show(one["id"]))["status"] for one in (confirmed, paid, draft)] == ["paid", "paid", "draft"]
    assert (await desk.biller.post("/v1/invoices/mark-paid", json={"ids": ids})).status_code == 403
    assert (await desk.manager.post("/v1/invoices/mark-paid", json={"ids": [unknown] * 1001})).status_code == 422
