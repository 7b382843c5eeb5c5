"""Exchange rates: what one unit of a currency is in another one, from a day on."""

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Numeric
from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow

RATE: Any = Numeric(18, 8)


class ExchangeRate(ResourceRow, table=True):
    """One unit of `from_currency` is `rate` units of `to_currency`, from `date` until a newer one holds."""

    __tablename__ = "exchange_rates"
    __table_args__ = (Index("exchange_rates_day_key", "from_currency", "to_currency", "date", unique=True),)

    id: UUID = Field(primary_key=True)
    from_currency: str = Field(sa_type=TEXT)
    to_currency: str = Field(sa_type=TEXT)
    date: datetime.date
    rate: Decimal = Field(sa_type=RATE)
