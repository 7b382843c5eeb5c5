"""Time, expense and material over HTTP: made, edited, approved and told, each with its own fields."""

from typing import Any

import pytest

from proforma.events.time_expense import EntriesApproved
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.work import ANY, ENTRIES, body, expense, material, person, pm, pointers

BODIES = [body(), expense(), material(product="X-1"), material(write_in="a box of screws")]
NAMES = ("class", "role", "category", "product", "write_in", "quantity", "unit_cost", "currency")


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def submitted(client: Api, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    made = await person(client).post(ENTRIES, json=list(bodies))
    assert made.status_code == 201, made.text
    entries: list[dict[str, Any]] = made.json()["items"]
    await person(client).post(f"{ENTRIES}/submit", json={"ids": [entry["id"] for entry in entries]})
    return entries


async def test_each_class_comes_back_as_it_was_sent_and_in_its_unit(client: Api) -> None:
    for sent in BODIES:
        entry = (await person(client).post(ENTRIES, json=sent)).json()
        assert {name: entry[name] for name in NAMES} == {name: sent.get(name) for name in NAMES}
        assert entry["unit"] == ("hour" if sent["class"] == "time" else "each")
        assert (await person(client).get(f"{ENTRIES}/{entry['id']}")).json() == entry
    for name, count in (("time", 1), ("expense", 1), ("material", 2)):
        found = (await pm(client).get(f"{ENTRIES}?class={name}")).json()["items"]
        assert [entry["class"] for entry in found] == [name] * count


BAD: list[tuple[dict[str, Any], str]] = [
    (body(unit_cost="1.00"), "/unit_cost"),
    (body(category="travel"), "/category"),
    (body(currency="EUR"), "/currency"),
    (body(product="X"), "/product"),
    (body(write_in="x"), "/write_in"),
    (body(unit="each"), "/unit"),
    (expense(role="dev"), "/role"),
    (expense(product="X"), "/product"),
    (expense(write_in="x"), "/write_in"),
    (expense(category=None), "/category"),
    (expense(unit_cost=None), "/unit_cost"),
    (expense(currency=None), "/currency"),
    (expense(unit_cost="-0.01"), "/unit_cost"),
    (expense(unit_cost="1.00001"), "/unit_cost"),
    (expense(unit_cost="1000000000.01"), "/unit_cost"),
    (expense(unit_cost=1), "/unit_cost"),
    (expense(currency="eur"), "/currency"),
    (expense(currency="EURO"), "/currency"),
    (expense(category=""), "/category"),
    (expense(category="c" * 65), "/category"),
    (expense(quantity="0"), "/quantity"),
    (expense(quantity="0.001"), "/quantity"),
    (expense(quantity="1000000.01"), "/quantity"),
    (expense(unit=""), "/unit"),
    (material(), "/write_in"),
    (material(product="X", write_in="x"), "/write_in"),
    (material(product="X", role="dev"), "/role"),
    (material(product="X", category="travel"), "/category"),
    (material(product="X", unit_cost=None), "/unit_cost"),
    (material(product="X", currency=None), "/currency"),
    (material(product="p" * 65), "/product"),
    (material(write_in="w" * 65), "/write_in"),
]


async def test_each_bad_field_is_named(client: Api) -> None:
    for sent, pointer in BAD:
        assert (sent, pointers(await person(client).post(ENTRIES, json=sent))) == (sent, [pointer])
    answer = await person(client).post(ENTRIES, json=[sent for sent, _ in BAD])
    assert pointers(answer) == [f"/{n}{pointer}" for n, (_, pointer) in enumerate(BAD)]
    assert (await pm(client).get(ENTRIES)).json()["items"] == []


async def test_an_edit_is_held_against_the_class_as_a_whole(client: Api) -> None:
    time, spent, used, _ = (await person(client).post(ENTRIES, json=BODIES)).json()["items"]
    bad: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
        (time, {"unit_cost": "1.00"}, ["/unit_cost"]),
        (time, {"role": None}, ["/role"]),
        (time, {"quantity": "24.01"}, ["/quantity"]),
        (time, {"unit": "each"}, ["/unit"]),
        (time, {"class": "expense"}, ["/class"]),
        (spent, {"role": "dev"}, ["/role"]),
        (spent, {"unit_cost": None, "currency": None}, ["/unit_cost", "/currency"]),
        (spent, {"category": None}, ["/category"]),
        (spent, {"unit": None}, ["/unit"]),
        (spent, {"unit_cost": "x"}, ["/unit_cost"]),
        (used, {"write_in": "x"}, ["/write_in"]),
        (used, {"product": None}, ["/write_in"]),
        (used, {"category": "travel"}, ["/category"]),
    ]
    for entry, sent, expected in bad:
        answer = await person(client).patch(f"{ENTRIES}/{entry['id']}", json=sent, headers=ANY)
        assert (sent, pointers(answer)) == (sent, expected)
    for entry in (time, spent, used):
        assert (await pm(client).get(f"{ENTRIES}/{entry['id']}")).json() == entry


async def test_an_edit_may_go_from_a_product_to_a_write_in_at_once(client: Api) -> None:
    [entry] = (await person(client).post(ENTRIES, json=[material(product="X")])).json()["items"]
    sent = {"product": None, "write_in": "a box", "unit_cost": "0.5", "quantity": "30.5", "unit": "m"}
    path = f"{ENTRIES}/{entry['id']}"
    answer = (await person(client).patch(path, json=sent, headers=ANY)).json()
    assert answer == {**entry, **sent, "quantity": "30.50", "version": 2}
    assert (await person(client).patch(path, json={"unit_cost": "0.50"}, headers=ANY)).json() == answer
    [_, last] = (await pm(client).get(f"{path}/history")).json()["items"]
    assert last["changes"]["write_in"] == {"before": None, "after": "a box"}
    assert last["changes"]["unit_cost"] == {"before": "0.1234", "after": "0.5"}


SET = {"billable_quantity": "3.00", "billing_type": "complimentary"}


@pytest.mark.parametrize("way", ["single", "ids", "filter", "items"])
async def test_the_approver_s_word_holds_for_every_class(client: Api, way: str) -> None:
    entries = await submitted(client, *BODIES)
    ids = [entry["id"] for entry in entries]
    chosen: dict[str, dict[str, Any]] = {
        "ids": {"ids": ids, **SET},
        "filter": {"filter": {"project": "P-1"}, **SET},
        "items": {"items": [{"id": one, **SET} for one in ids]},
    }
    if way == "single":
        for one in ids:
            assert (await pm(client).post(f"{ENTRIES}/{one}/approve", json=SET, headers=ANY)).status_code == 200
    else:
        assert (await pm(client).post(f"{ENTRIES}/approve", json=chosen[way])).json()["changed"] == len(ids)
    told = await approved(client)
    for entry, was in zip(entries, BODIES, strict=True):
        assert {name: told[entry["id"]][name] for name in NAMES} == {name: was.get(name) for name in NAMES}
        assert {name: told[entry["id"]][name] for name in SET} == SET


@pytest.mark.parametrize("billable", ["0.00", "0.01", "1000000.00", None])
async def test_below_and_above_the_quantity_of_every_class(client: Api, billable: str | None) -> None:
    entries = await submitted(client, *BODIES)
    sent = {"filter": {}} if billable is None else {"filter": {}, "billable_quantity": billable}
    await pm(client).post(f"{ENTRIES}/approve", json=sent)
    told = await approved(client)
    assert [told[entry["id"]]["billable_quantity"] for entry in entries] == [
        billable or entry["quantity"] for entry in entries
    ]


async def approved(client: Api) -> dict[str, dict[str, Any]]:
    """What was told of each entry, as the contract has it."""
    events = [EntriesApproved.model_validate(sent.body) for sent in await outbox_of(client.runtime)]
    return {str(entry.id): entry.model_dump(mode="json") for event in events for entry in event.entries}
