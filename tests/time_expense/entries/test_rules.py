"""What each class of entry has: one table, held against the rules, the database and the API's own reader."""

from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from proforma.db import execute
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.time_expense.work import body, expense, material
from time_expense.entries.rules import CLASS_FIELDS, misfits
from time_expense.entries.schemas import EntryIn

NEEDED, REFUSED, ONE_OF = "needed", "refused", "one of"
TABLE = {
    # field         time      expense   material
    "role":        (NEEDED,   REFUSED,  REFUSED),
    "category":    (REFUSED,  NEEDED,   REFUSED),
    "product":     (REFUSED,  REFUSED,  ONE_OF),
    "write_in":    (REFUSED,  REFUSED,  ONE_OF),
    "unit_cost":   (REFUSED,  NEEDED,   NEEDED),
    "currency":    (REFUSED,  NEEDED,   NEEDED),
}  # fmt: skip
CLASSES = ("time", "expense", "material")
GOOD: dict[str, Any] = {
    "role": "dev", "category": "travel", "product": "X", "write_in": "a box", "unit_cost": Decimal("1.5"),
    "currency": "EUR",
}  # fmt: skip

classes = st.sampled_from(CLASSES)
chosen = st.fixed_dictionaries({name: st.none() | st.just(value) for name, value in GOOD.items()})
quantities = st.sampled_from([Decimal(text) for text in ("0.01", "24.00", "24.01", "1000000.00")])
units = st.sampled_from(["hour", "each", "box"])


def wrong(entry_class: str, fields: dict[str, Any]) -> set[str]:
    """What the table says is wrong."""
    at = CLASSES.index(entry_class)
    found = set()
    for name, row in TABLE.items():
        if (row[at] == NEEDED and fields[name] is None) or (row[at] == REFUSED and fields[name] is not None):
            found.add(name)
    if entry_class == "material" and (fields["product"] is None) == (fields["write_in"] is None):
        found.add("write_in")
    if entry_class == "time" and fields["quantity"] > 24:
        found.add("quantity")
    if entry_class == "time" and fields["unit"] != "hour":
        found.add("unit")
    return found


def read(entry_class: str, fields: dict[str, Any]) -> set[str]:
    """What a create refuses, by field."""
    sent = {name: str(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
    try:
        EntryIn.model_validate(
            {"class": entry_class, "project": "P-1", "resource": "ada", "date": "2026-02-27", **sent}
        )
    except ValidationError as error:
        return {str(one["loc"][0]) for one in error.errors()}
    return set()


def test_the_table_names_every_field_of_a_class() -> None:
    assert tuple(TABLE) == CLASS_FIELDS


@given(classes, chosen, quantities, units)
def test_a_class_takes_what_the_table_says(
    entry_class: str, some: dict[str, Any], quantity: Decimal, unit: str
) -> None:
    fields = {**some, "quantity": quantity, "unit": unit}
    assert set(misfits(entry_class, fields)) == wrong(entry_class, fields) == read(entry_class, fields)


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("time-expense")


INSERT = """
insert into entries (id, class, project, resource, date, quantity, unit, role, category, product, write_in, unit_cost,
  currency, status, revision, version, created_at, created_by, updated_at)
values (gen_random_uuid(), $1, 'P-1', 'ada', '2026-02-27', $2, $3, $4, $5, $6, $7, $8, $9, 'draft', 0, 1, now(), 'ada',
  now())
"""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry_class=classes, some=chosen, quantity=quantities, unit=units)
async def test_the_database_holds_the_same_table(
    runtime: Runtime, entry_class: str, some: dict[str, Any], quantity: Decimal, unit: str
) -> None:
    fields = {"quantity": quantity, "unit": unit, **some}
    try:
        async with runtime.database.transaction() as session:
            await execute(session, INSERT, entry_class, *(fields[name] for name in ("quantity", "unit", *TABLE)))
    except asyncpg.CheckViolationError:
        assert wrong(entry_class, fields)
    else:
        assert not wrong(entry_class, fields)


@pytest.mark.parametrize(
    ("sent", "unit"),
    [
        (body(), "hour"), (body(unit="hour"), "hour"), (body(unit=None), "hour"), (expense(), "each"),
        (expense(unit="km"), "km"), (material(product="X"), "each"), (material(write_in="x", unit=None), "each"),
    ],
)  # fmt: skip
def test_a_unit_that_is_not_sent_is_the_class_s(sent: dict[str, Any], unit: str) -> None:
    assert EntryIn.model_validate(sent).unit == unit


def test_the_examples_are_entries_of_each_class() -> None:
    shown = EntryIn.model_json_schema()["examples"]
    assert [EntryIn.model_validate(one).entry_class for one in shown] == list(CLASSES)


def test_what_cannot_be_judged_is_not() -> None:
    """A class that is none, or a product that is none, is named alone."""
    assert read("fee", {**GOOD, "quantity": Decimal(1)}) == {"class"}
    assert read("material", {"product": "", "unit_cost": "1", "currency": "EUR", "quantity": "1"}) == {"product"}
