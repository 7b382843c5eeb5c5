"""Lines and details over HTTP."""

import uuid

import pytest

from tests.invoicing.claimed import Desk, claiming, item


async def test_details_come_in_pages(desk: Desk) -> None:
    shown = await desk.draft(5)
    path = f"/v1/invoices/{shown['id']}/details"
    first = (await desk.biller.get(path, params={"limit": 2})).json()
    second = (await desk.biller.get(path, params={"limit": 2, "after": first["next"]})).json()
    third = (await desk.biller.get(path, params={"limit": 2, "after": second["next"]})).json()
    assert [len(page["items"]) for page in (first, second, third)] == [2, 2, 1]
    assert third["next"] is None
    ids = [detail["id"] for page in (first, second, third) for detail in page["items"]]
    assert len(set(ids)) == 5
    assert ids == sorted(ids)


async def test_lines_come_in_pages(desk: Desk) -> None:
    claim = claiming(1, lines=[uuid.uuid4() for _ in range(3)])
    await desk.deliver(*claim.chunks())
    path = f"/v1/invoices/{claim.id}/lines"
    first = (await desk.biller.get(path, params={"limit": 2})).json()
    second = (await desk.biller.get(path, params={"limit": 2, "after": first["next"]})).json()
    lines = [*first["items"], *second["items"]]
    assert sorted(line["contract_line_id"] for line in lines) == sorted(map(str, claim.lines))
    assert second["next"] is None


async def test_a_removed_detail_is_released_and_leaves_the_totals(desk: Desk) -> None:
    shown = await desk.draft(2)
    kept, gone = await desk.details(shown["id"])
    answer = await desk.biller.delete(
        f"/v1/invoices/{shown['id']}/details/{gone['id']}", headers={"If-Match": f'"{shown["version"]}"'}
    )
    assert (answer.status_code, answer.headers["etag"]) == (204, f'"{shown["version"] + 1}"')
    after = await desk.show(shown["id"])
    assert (after["details"], after["total"], after["version"]) == (1, "1600.00", shown["version"] + 1)
    assert [detail["id"] for detail in await desk.details(shown["id"])] == [kept["id"]]
    assert await desk.said("details.released") == [
        {
            "invoice_id": shown["id"], "contract_id": shown["contract_id"], "by": "biller",
            "at": "2026-03-02T09:00:00Z", "details": [{"item_id": gone["item_id"], "claim_id": gone["claim_id"]}],
        }
    ]  # fmt: skip
    entry = (await desk.history(shown["id"]))[-1]
    assert (entry["action"], entry["by"]) == ("details_removed", "biller")
    assert entry["before"]["details"][0]["amount"] == "1600.00"


async def test_a_detail_is_removed_once(desk: Desk) -> None:
    shown = await desk.draft(2)
    (detail, _) = await desk.details(shown["id"])
    path = f"/v1/invoices/{shown['id']}/details/{detail['id']}"
    assert (await desk.biller.delete(path, headers={"If-Match": "*"})).status_code == 204
    assert (await desk.biller.delete(path, headers={"If-Match": "*"})).status_code == 404
    assert len(await desk.said("details.released")) == 1


async def test_what_others_removed_counts_as_unchanged(desk: Desk) -> None:
    shown = await desk.draft(3)
    ids = [detail["id"] for detail in await desk.details(shown["id"])][:2]
    path = f"/v1/invoices/{shown['id']}/details/remove"
    first = await desk.biller.post(path, json={"ids": [*ids, ids[0], str(uuid.uuid4())]})
    assert first.json() == {"changed": 2, "unchanged": 1, "refused": []}
    version = (await desk.show(shown["id"]))["version"]
    second = await desk.biller.post(path, json={"ids": ids})
    assert second.json() == {"changed": 0, "unchanged": 2, "refused": []}
    assert (await desk.show(shown["id"]))["version"] == version
    assert len(await desk.said("details.released")) == 1


async def test_releases_come_in_lists_that_an_event_may_hold(desk: Desk) -> None:
    shown = await desk.draft(701)
    ids = [detail["id"] for detail in await desk.details(shown["id"])]
    answer = await desk.biller.post(f"/v1/invoices/{shown['id']}/details/remove", json={"ids": ids})
    assert answer.json()["changed"] == 701
    released = await desk.said("details.released")
    assert [len(body["details"]) for body in released] == [500, 201]
    items = {one["item_id"] for body in released for one in body["details"]}
    assert len(items) == 701
    assert (await desk.show(shown["id"]))["total"] == "0.00"


async def test_removing_takes_the_draft_out_of_review(desk: Desk) -> None:
    shown = await desk.draft(2)
    path = f"/v1/invoices/{shown['id']}"
    reviewed = (await desk.biller.patch(path, json={"status": "in_review"}, headers={"If-Match": "*"})).json()
    (detail, _) = await desk.details(shown["id"])
    await desk.biller.delete(f"{path}/details/{detail['id']}", headers={"If-Match": "*"})
    assert (await desk.show(shown["id"]))["status"] == "draft"
    assert (await desk.confirm(reviewed)).status_code == 412


@pytest.mark.parametrize("state", ["building", "confirmed", "discarded"])
async def test_only_a_draft_gives_details_back(desk: Desk, state: str) -> None:
    claim = claiming(2)
    await desk.deliver(*claim.chunks(1)[: 1 if state == "building" else 2])
    if state == "confirmed":
        await desk.confirm(await desk.show(claim.id))
    elif state == "discarded":
        await desk.biller.post(f"/v1/invoices/{claim.id}/discard", headers={"If-Match": "*"})
    details = await desk.details(claim.id)
    path = f"/v1/invoices/{claim.id}/details"
    one = await desk.biller.delete(f"{path}/{details[0]['id']}", headers={"If-Match": "*"})
    many = await desk.biller.post(f"{path}/remove", json={"ids": [details[0]["id"]]})
    for answer in (one, many):
        assert (answer.status_code, answer.json()["reason"], answer.json()["state"]) == (409, "wrong_state", state)
    assert await desk.details(claim.id) == details
    assert await desk.said("details.released") == []


async def test_an_edit_of_what_one_has_not_seen_is_refused(desk: Desk) -> None:
    shown = await desk.draft(1)
    (detail,) = await desk.details(shown["id"])
    path = f"/v1/invoices/{shown['id']}/details"
    stale = {"If-Match": f'"{shown["version"] - 1}"'}
    assert (await desk.biller.delete(f"{path}/{detail['id']}")).status_code == 428
    assert (await desk.biller.delete(f"{path}/{detail['id']}", headers=stale)).status_code == 412
    many = await desk.biller.post(f"{path}/remove", json={"ids": [detail["id"]]}, headers=stale)
    assert many.status_code == 412
    assert (await desk.show(shown["id"])) == shown


BAD_BODIES: list[tuple[dict[str, object], str]] = [
    ({}, ""),
    ({"ids": []}, "/ids"),
    ({"ids": ["x"]}, "/ids/0"),
    ({"ids": [str(uuid.UUID(int=n)) for n in range(1001)]}, "/ids"),
    ({"ids": [str(uuid.UUID(int=1))], "filter": {}}, ""),
    ({"filter": {"status": "draft"}}, "/filter/status"),
    ({"filter": {"class": "tax"}}, "/filter/class"),
]


async def test_bad_bodies_say_where(desk: Desk) -> None:
    shown = await desk.draft(1)
    for body, pointer in BAD_BODIES:
        answer = await desk.biller.post(f"/v1/invoices/{shown['id']}/details/remove", json=body)
        assert answer.status_code == 422, body
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_unknown_invoices_are_not_found(desk: Desk) -> None:
    nobody = f"/v1/invoices/{uuid.uuid4()}"
    assert (await desk.biller.get(f"{nobody}/lines")).status_code == 404
    assert (await desk.biller.get(f"{nobody}/details")).status_code == 404
    assert (await desk.biller.post(f"{nobody}/details/remove", json={"ids": [str(uuid.uuid4())]})).status_code == 404
    shown = await desk.draft(1)
    missing = f"/v1/invoices/{shown['id']}/details/{uuid.uuid4()}"
    assert (await desk.biller.delete(missing, headers={"If-Match": "*"})).status_code == 404


async def test_bad_queries_are_refused(desk: Desk) -> None:
    shown = await desk.draft(1)
    for query in ("limit=0", "limit=1001", "after=x", "claim_id=1", "after=WyIxIl0"):
        for what in ("lines", "details", "history"):
            answer = await desk.biller.get(f"/v1/invoices/{shown['id']}/{what}?{query}")
            assert answer.status_code == 422, (what, query)


async def test_who_may_what(desk: Desk) -> None:
    shown = await desk.draft(1)
    path = f"/v1/invoices/{shown['id']}"
    for role, status in (("submitter", 403), ("approver", 200), ("service", 200), ("manager", 200), ("admin", 200)):
        assert (await desk.api.as_(role).get(f"{path}/lines")).status_code == status
        assert (await desk.api.as_(role).get(f"{path}/details")).status_code == status
    for role in ("submitter", "approver", "service"):
        answer = await desk.api.as_(role).post(f"{path}/details/remove", json={"ids": [shown["id"]]})
        assert answer.status_code == 403
        assert (await desk.api.as_(role).delete(f"{path}/details/{shown['id']}")).status_code == 403
    assert (await desk.api.with_token(None).get(f"{path}/details")).status_code == 401


async def test_the_same_key_removes_once(desk: Desk) -> None:
    claim = claiming(2)
    claim.with_items(item(claim.lines[0]))
    await desk.deliver(*claim.chunks())
    ids = [detail["id"] for detail in await desk.details(claim.id)]
    path, key = f"/v1/invoices/{claim.id}/details/remove", {"Idempotency-Key": "k1"}
    first = await desk.biller.post(path, json={"ids": ids[:1]}, headers=key)
    again = await desk.biller.post(path, json={"ids": ids[:1]}, headers=key)
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")
    other = await desk.biller.post(path, json={"ids": ids[1:]}, headers=key)
    assert other.status_code == 422
    assert (await desk.show(claim.id))["details"] == 2
