"""What the database itself refuses of journal lines."""

from uuid import uuid4

import asyncpg
import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, CONTRACT, LINE, firm
from tests.support.rows import change

INSERT = """
insert into journal_lines (id, contract_id, contract_line_id, class, date, quantity, unit, price, amount, tax, status,
                           version, created_at, created_by, updated_at)
values ($1, $2, $3, $4, '2026-03-01', $5::text::numeric, 'each', 300, 300, 0, 'open', 1, $6, 't', $6)
"""


@pytest.mark.parametrize(("item_class", "quantity"), [("milestone", "1"), ("product", "1"), ("fee", "0")])
async def test_it_is_work_or_a_fee_of_a_quantity_above_zero(runtime: Runtime, item_class: str, quantity: str) -> None:
    await firm(runtime)
    with pytest.raises(asyncpg.CheckViolationError):
        await change(runtime, INSERT, uuid4(), CONTRACT, LINE, item_class, quantity, AT)
    assert await change(runtime, INSERT, uuid4(), CONTRACT, LINE, "fee", "1", AT) == 1
