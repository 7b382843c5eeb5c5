"""Bodies of exchange rates."""

import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from billing_backlog.variants import wrong
from proforma import pages
from proforma.bodies import UNSENT, Currency, ExternalId, Input, Patch, Resource
from proforma.money import Rate

Units = Annotated[
    Rate, Field(description="Units of `to` for one unit of `from`; eight decimals at most.", examples=["0.92345"])
]


class ExchangeRateIn(Input):
    """What one unit of a currency is in another one, from `date` until a newer rate holds.

    The newest on or before the day of the work is taken. There is one a day for a pair; the way back is a rate of
    its own.
    """

    from_currency: Currency = Field(alias="from", examples=["USD"])
    to_currency: Currency = Field(alias="to", examples=["EUR"])
    date: datetime.date = Field(examples=["2026-02-01"])
    rate: Units
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _two_currencies(self) -> Self:
        if self.from_currency == self.to_currency:
            raise wrong({"to": f"another currency than from, {self.from_currency}"}, self)
        return self


class ExchangeRatePatch(Patch):
    """A correction. What is posted keeps the rate that it was posted with."""

    rate: Units = UNSENT
    external_id: ExternalId | None = UNSENT


class ExchangeRateOut(Resource):
    """An exchange rate."""

    external_id: str | None
    from_currency: str = Field(alias="from")
    to_currency: str = Field(alias="to")
    date: datetime.date
    rate: Rate


class ExchangeRateFilter(Input):
    """Which rates, and which page of them."""

    from_currency: Currency | None = Field(default=None, alias="from")
    to_currency: Currency | None = Field(default=None, alias="to")
    date_from: datetime.date | None = Field(default=None, description="This day and later.")
    date_to: datetime.date | None = Field(default=None, description="This day and earlier.")
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
