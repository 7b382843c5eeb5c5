"""Posting tells every row in messages that can be sent."""

from datetime import date
from decimal import Decimal

from billing_backlog.ledger.service import NewActual, post
from proforma.clock import derived_id
from proforma.runtime import Runtime
from tests.support.rows import rows

CODE = "𝄞" * 64
BODIES = "select octet_length(body) as bytes, json_array_length(body::json->'actuals') as n from outbox order by id"


def longest(n: int) -> NewActual:
    """Work with codes as long as codes may be, in characters of four bytes."""
    return NewActual(
        id=derived_id("row", n), type="cost", item_class="time", billing_type=None, cause="approve",
        accounting_date=date(2026, 3, 2), date=date(2026, 3, 2), quantity=Decimal("1000000"), unit=CODE,
        price=Decimal("1000000000.0000"), amount=Decimal("1000000000000"), currency="EUR", rate_id=None, project=CODE,
        task=CODE, resource=CODE, role=CODE, category=CODE, product=CODE, description=None, external_description=None,
        contract_id=None, contract_line_id=None, entry_id=derived_id("entry", n), entry_revision=1,
        billing_status=None,
    )  # fmt: skip


async def test_the_longest_codes_fit_into_a_message(runtime: Runtime) -> None:
    """As many as else are told together would be refused, and what they post could not be posted at all."""
    async with runtime.database.transaction() as session:
        await post(session, runtime.context(), [longest(n) for n in range(450)])
    sent = await rows(runtime, BODIES)
    assert [one["n"] for one in sent] == [200, 200, 50]
    assert 450 * max(one["bytes"] for one in sent) / 200 > runtime.settings.limits.event_bytes_max
