"""What the database itself refuses of milestones."""

from uuid import uuid4

import asyncpg
import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, CONTRACT, LINE, firm
from tests.support.rows import change

INSERT = """
insert into milestones (id, contract_id, contract_line_id, name, date, amount, tax, version, created_at, created_by,
                        updated_at)
values ($1, $2, $3, 'm', '2026-03-01', $4::text::numeric, $5::text::numeric, 1, $6, 't', $6)
"""


@pytest.mark.parametrize(("amount", "tax"), [("0", "0"), ("-1", "0"), ("1", "-0.01")])
async def test_an_amount_is_above_zero_and_a_tax_not_below(runtime: Runtime, amount: str, tax: str) -> None:
    await firm(runtime)
    with pytest.raises(asyncpg.CheckViolationError):
        await change(runtime, INSERT, uuid4(), CONTRACT, LINE, amount, tax, AT)
    assert await change(runtime, INSERT, uuid4(), CONTRACT, LINE, "1", "0", AT) == 1
