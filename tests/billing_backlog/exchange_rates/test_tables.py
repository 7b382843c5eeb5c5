"""What the database itself refuses of exchange rates."""

from uuid import uuid4

import asyncpg
import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT
from tests.support.rows import change

INSERT = """
insert into exchange_rates (id, from_currency, to_currency, date, rate, version, created_at, created_by, updated_at)
values ($1, $2, $3, '2026-03-01', $4::text::numeric, 1, $5, 't', $5)
"""


async def test_a_day_has_one_rate_above_zero_between_two_currencies(runtime: Runtime) -> None:
    await change(runtime, INSERT, uuid4(), "USD", "EUR", "0.92", AT)
    await change(runtime, INSERT, uuid4(), "EUR", "USD", "1.08", AT)
    with pytest.raises(asyncpg.UniqueViolationError):
        await change(runtime, INSERT, uuid4(), "USD", "EUR", "0.93", AT)
    for source, target, rate in (("USD", "GBP", "0"), ("EUR", "EUR", "1"), ("eur", "USD", "1")):
        with pytest.raises(asyncpg.CheckViolationError):
            await change(runtime, INSERT, uuid4(), source, target, rate, AT)
