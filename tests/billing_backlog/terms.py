"""Terms for tests beside those of `scene.firm`: rates of any class, exchange rates, what a line says."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, LINE, SALES
from tests.support.rows import change

RATE = """
insert into rates (id, price_list_id, class, role, category, product, resource, unit, method, price, markup_percent,
                   created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
EXCHANGE = """
insert into exchange_rates (id, from_currency, to_currency, date, rate, version, created_at, created_by, updated_at)
values ($1, $2, $3, $4, $5, 1, $6, 't', $6)
"""
INCLUDES = ["time", "expense", "material", "fee"]


async def rate(runtime: Runtime, item_class: str, price_list: UUID = SALES, **fields: Any) -> UUID:
    """A rate of a list; `per_unit` where it has a price, `markup` with a percentage, else `at_cost`."""
    made = uuid4()
    price, percent = fields.get("price"), fields.get("percent")
    method = "per_unit" if price is not None else "markup" if percent is not None else "at_cost"
    await change(
        runtime, RATE, made, price_list, item_class, fields.get("role"), fields.get("category"), fields.get("product"),
        fields.get("resource"), fields.get("unit", "hour" if item_class == "time" else "each"), method,
        Decimal(price) if price is not None else None, Decimal(percent) if percent is not None else None, AT,
    )  # fmt: skip
    return made


async def exchange(runtime: Runtime, source: str, target: str, day: date, units: str) -> UUID:
    """One unit of `source` is so many units of `target` from that day on."""
    made = uuid4()
    await change(runtime, EXCHANGE, made, source, target, day, Decimal(units), AT)
    return made


async def all_classes(runtime: Runtime, line_id: UUID = LINE) -> None:
    """The line takes every class."""
    await change(runtime, "update contract_lines set includes = $2 where id = $1", line_id, INCLUDES)


async def fixed_price(runtime: Runtime, line_id: UUID = LINE, amount: str = "5000") -> None:
    """The line has a fixed price."""
    await change(
        runtime,
        "update contract_lines set billing_method = 'fixed_price', contracted_amount = $2 where id = $1",
        line_id,
        Decimal(amount),
    )
