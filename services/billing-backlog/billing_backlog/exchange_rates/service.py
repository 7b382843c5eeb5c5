"""Exchange rates: make, correct, delete. Nothing that is posted changes with them."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.exchange_rates.queries import get_rate, of_days
from billing_backlog.exchange_rates.rules import repeated_days
from billing_backlog.exchange_rates.schemas import ExchangeRateIn, ExchangeRatePatch
from billing_backlog.exchange_rates.tables import ExchangeRate
from billing_backlog.external_ids import refuse_taken
from proforma.context import Context
from proforma.errors import Conflict, Invalid
from proforma.http import match


async def create_rates(
    session: AsyncSession, context: Context, sent: Mapping[str, ExchangeRateIn]
) -> list[ExchangeRate]:
    """Makes all of them, by pointer, or none.

    Raises Conflict, naming the other, when one was sent for a pair and day that has one; Invalid, naming every bad
    index, for an array. A race that passes here is refused by the unique index.
    """
    await _refuse_second(session, sent)
    await refuse_taken(session, ExchangeRate, {at: body.external_id for at, body in sent.items()})
    now = context.clock.now()
    rows = [
        ExchangeRate(id=new, created_at=now, created_by=context.actor, updated_at=now, **body.model_dump())
        for new, body in zip(context.once_ids(len(sent)), sent.values(), strict=True)
    ]
    session.add_all(rows)
    await session.flush()
    return rows


async def change_rate(
    session: AsyncSession, context: Context, rate_id: UUID, expected: int | None, patch: ExchangeRatePatch
) -> ExchangeRate:
    """Applies a correction; raises NotFound, Stale."""
    row = await get_rate(session, rate_id, lock=True)
    match(row.version, expected)
    row.change(patch.changes(), context.clock.now())
    await session.flush()
    return row


async def delete_rate(session: AsyncSession, rate_id: UUID, expected: int | None) -> None:
    """Deletes a rate; raises NotFound, Stale. The rate before it holds from now on."""
    row = await get_rate(session, rate_id, lock=True)
    match(row.version, expected)
    await session.delete(row)
    await session.flush()


async def _refuse_second(session: AsyncSession, sent: Mapping[str, ExchangeRateIn]) -> None:
    days = {at: (body.from_currency, body.to_currency, body.date) for at, body in sent.items()}
    held = await of_days(session, days.values())
    if "" in sent and held:
        other = held[days[""]]
        raise Conflict(f"exchange rate {other} is of the same day", exchange_rate_id=str(other))
    twice = repeated_days(days)
    wrong = {at: f"exchange rate {held[day]} is of the same day" for at, day in days.items() if day in held}
    wrong |= {at: f"is sent twice: {first} is of the same day" for at, first in twice.items()}
    if wrong:
        errors = [{"pointer": f"{at}/date", "detail": what} for at, what in wrong.items()]
        raise Invalid(f"{len(errors)} of {len(sent)} exchange rates are of a day that has one", errors[:100])
