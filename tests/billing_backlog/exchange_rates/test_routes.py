"""Exchange rates over HTTP."""

import asyncio
from uuid import uuid4

import pytest

from billing_backlog.exchange_rates import service
from billing_backlog.exchange_rates.queries import get_rate, of_days
from tests.billing_backlog.masters import Json, Masters, Meeting, pointers, statuses
from tests.support.api import Api

URL = "/v1/exchange-rates"


def rate(**fields: object) -> Json:
    return {"from": "USD", "to": "EUR", "date": "2026-02-01", "rate": "0.92345678", **fields}


async def test_one_is_made_corrected_and_deleted(desk: Masters) -> None:
    answer = await desk.biller.post(URL, json=rate(external_id="X"))
    assert answer.status_code == 201, answer.text
    made, path = answer.json(), answer.headers["location"]
    assert {name: made[name] for name in rate()} == rate()
    shown = await desk.biller.get(path)
    assert (shown.json(), shown.headers["etag"]) == (made, '"1"')
    edited = await desk.patch(path, {"rate": "1000000000"}, '"1"')
    assert (edited.json()["rate"], edited.json()["version"]) == ("1000000000", 2)
    assert (await desk.patch(path, {"rate": "1"}, '"1"')).status_code == 412
    assert (await desk.biller.patch(path, json={"rate": "1"})).status_code == 428
    assert (await desk.delete(path, '"1"')).status_code == 412
    assert (await desk.delete(path, '"2"')).status_code == 204
    assert (await desk.biller.get(path)).status_code == 404
    assert (await desk.patch(path, {"rate": "1"})).status_code == 404
    assert (await desk.delete(path)).status_code == 404


async def test_a_day_has_one_rate_and_the_other_is_named(desk: Masters) -> None:
    held = (await desk.biller.post(URL, json=rate())).json()
    refused = await desk.biller.post(URL, json=rate(rate="1"))
    assert (refused.status_code, refused.json()["exchange_rate_id"]) == (409, held["id"])
    free = [rate(date="2026-02-02"), {**rate(), "from": "EUR", "to": "USD"}]
    many = await desk.biller.post(URL, json=[free[0], rate(), free[1], free[0]])
    assert pointers(many) == ["/1/date", "/3/date"]
    assert held["id"] in many.json()["errors"][0]["detail"]
    assert (await desk.biller.post(URL, json=free)).status_code == 201


async def test_of_two_of_one_day_at_once_one_is_made(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "of_days", Meeting().after(of_days))
    assert statuses(*await asyncio.gather(*(desk.biller.post(URL, json=rate()) for _ in range(2)))) == [201, 409]


async def test_of_two_corrections_at_once_one_wins(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    path = (await desk.biller.post(URL, json=rate())).headers["location"]
    monkeypatch.setattr(service, "get_rate", Meeting().after(get_rate))
    both = await asyncio.gather(*(desk.patch(path, {"rate": n}, '"1"') for n in ("1", "2")))
    assert statuses(*both) == [200, 412]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"from": "usd"}, "/from"),
        ({"to": "USD"}, "/to"),
        ({"date": "2026-02-30"}, "/date"),
        ({"rate": "0"}, "/rate"),
        ({"rate": "-1"}, "/rate"),
        ({"rate": "0.000000001"}, "/rate"),
        ({"rate": "1000000000.1"}, "/rate"),
        ({"rate": 1}, "/rate"),
        ({"price": "1"}, "/price"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, fields: Json, pointer: str) -> None:
    assert pointers(await desk.biller.post(URL, json=rate(**fields))) == [pointer]
    assert pointers(await desk.biller.post(URL, json=[rate(), rate(**fields)])) == [f"/1{pointer}"]
    assert (await desk.biller.get(URL)).json()["items"] == []


async def test_an_edit_takes_the_rate_only(desk: Masters) -> None:
    path = (await desk.biller.post(URL, json=rate())).headers["location"]
    for fields in ({"date": "2026-03-01"}, {"from": "GBP"}, {"rate": None}, {"rate": "0"}):
        assert pointers(await desk.patch(path, fields)) == [f"/{next(iter(fields))}"]


async def test_the_list_has_filters(desk: Masters) -> None:
    sent = [rate(), rate(date="2026-02-02"), rate(to="GBP", date="2026-02-03", external_id="G"),
            {**rate(), "from": "CHF"}]  # fmt: skip
    made = [(await desk.biller.post(URL, json=one)).json()["id"] for one in sent]
    for params, wanted in (
        ({"from": "USD"}, [0, 1, 2]),
        ({"to": "EUR", "date_from": "2026-02-02"}, [1]),
        ({"date_to": "2026-02-01"}, [0, 3]),
        ({"external_id": "G"}, [2]),
    ):
        found = (await desk.biller.get(URL, params=params)).json()["items"]
        assert [one["id"] for one in found] == sorted(made[n] for n in wanted)
    page = (await desk.biller.get(URL, params={"limit": 3})).json()
    rest = (await desk.biller.get(URL, params={"limit": 3, "after": page["next"]})).json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (3, 1, None)
    assert (await desk.biller.get(URL, params={"from": "x"})).status_code == 422


async def test_only_billers_and_managers_write(client: Api, desk: Masters) -> None:
    path = (await desk.biller.post(URL, json=rate())).headers["location"]
    for role in ("submitter", "approver", "service"):
        other = client.as_(role)
        assert (await other.get(path)).status_code == 200
        assert (await other.post(URL, json=rate())).status_code == 403
        assert (await other.patch(path, json={}, headers={"If-Match": "*"})).status_code == 403
        assert (await other.delete(path, headers={"If-Match": "*"})).status_code == 403
    assert (await desk.biller.get(f"{URL}/{uuid4()}")).status_code == 404
