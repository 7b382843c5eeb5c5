"""Bodies of price lists."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from proforma import pages
from proforma.bodies import UNSENT, Code, Currency, ExternalId, Input, Name, Output, Patch, Resource
from proforma.money import Price

RATES_MAX = 1_000

Kind = Literal["sales", "cost"]
CurrencyCode = Annotated[Currency, Field(examples=["EUR"])]
FirstDay = Annotated[date | None, Field(description="First day, inclusive; null: since ever.", examples=["2026-01-01"])]
LastDay = Annotated[date | None, Field(description="Last day, inclusive; null: without end.", examples=["2026-12-31"])]


class RateIn(Input):
    """The price of one unit of a role's work, in the list's currency. One rate for each (class, role) of a list."""

    item_class: Literal["time"] = Field(alias="class")
    role: Code = Field(examples=["Developer"])
    unit: Literal["hour"] = "hour"
    method: Literal["per_unit"] = "per_unit"
    price: Price = Field(description="From 0 up, four decimals at most.", examples=["120.00"])


Rates = Annotated[list[RateIn], Field(max_length=RATES_MAX)]


class PriceListIn(Input):
    """Sales lists say what is billed, cost lists what work costs."""

    name: Name = Field(examples=["Standard 2026"])
    external_id: ExternalId | None = None
    kind: Kind
    currency: CurrencyCode
    valid_from: FirstDay = None
    valid_to: LastDay = None
    rates: Rates = Field(default=[])


class PriceListPatch(Patch):
    """An edit of a price list. `rates`, when sent, are all of its rates. What is posted keeps the price it has."""

    name: Name = UNSENT
    external_id: ExternalId | None = UNSENT
    kind: Kind = UNSENT
    currency: CurrencyCode = UNSENT
    valid_from: FirstDay = UNSENT
    valid_to: LastDay = UNSENT
    rates: Rates = UNSENT


class RateOut(Output):
    """The price of one unit of a role's work."""

    item_class: Literal["time"] = Field(alias="class")
    role: str
    unit: str
    method: Literal["per_unit"]
    price: Price


class PriceListSummary(Resource):
    """A price list without its rates, as lists show it."""

    external_id: str | None
    name: str
    kind: Kind
    currency: str
    valid_from: date | None
    valid_to: date | None
    rate_count: int


class PriceListOut(PriceListSummary):
    """A price list with its rates, by class and role."""

    rates: list[RateOut]


class PriceListFilter(Input):
    """Which price lists, and which page of them."""

    kind: Kind | None = None
    currency: CurrencyCode | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
