"""Bodies of price lists."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from billing_backlog.price_lists.rules import MARKUP_MAX, RateKey, method_errors
from billing_backlog.variants import one_of, wrong
from proforma import pages
from proforma.bodies import UNSENT, Code, Currency, ExternalId, Input, Name, Output, Patch, Resource
from proforma.money import Price

RATES_MAX = 1_000

Kind = Literal["sales", "cost"]
RateClass = Literal["time", "expense", "material"]
Method = Literal["per_unit", "at_cost", "markup"]
CurrencyCode = Annotated[Currency, Field(examples=["EUR"])]
FirstDay = Annotated[date | None, Field(description="First day, inclusive; null: since ever.", examples=["2026-01-01"])]
LastDay = Annotated[date | None, Field(description="Last day, inclusive; null: without end.", examples=["2026-12-31"])]


def _percent(value: Decimal) -> Decimal:
    if value > MARKUP_MAX:
        raise ValueError(f"between 0 and {MARKUP_MAX}")
    return value


OwnResource = Annotated[
    Code | None, Field(description="Only for this resource's work; null: for everybody's.", examples=["ann"])
]
Percent = Annotated[
    Price,
    AfterValidator(_percent),
    Field(description="Per cent on what the work costs, 0 to 1000, four decimals at most.", examples=["12.5"]),
]
OwnPrice = Annotated[
    Price | None, Field(description="With `per_unit` only: from 0 up, four decimals at most.", examples=["120.00"])
]
METHOD = (
    "`per_unit`: `price` for each unit; `at_cost`: what the work costs; `markup`: that and `markup_percent` of it. "
    "A cost list has `per_unit` only."
)


class _RateIn(Input):
    """What every rate has. Its price is in the list's currency."""

    resource: OwnResource = None
    method: Method = Field(default="per_unit", description=METHOD)
    price: OwnPrice = None
    markup_percent: Percent | None = None

    @model_validator(mode="after")
    def _method_has_its_figure(self) -> Self:
        errors = method_errors(self.method, self.price, self.markup_percent)
        if errors:
            raise wrong(errors, self)
        return self


class TimeRateIn(_RateIn):
    """What an hour of a role costs or is sold for."""

    item_class: Literal["time"] = Field(alias="class")
    role: Code = Field(examples=["Developer"])
    unit: Literal["hour"] = "hour"

    @property
    def key(self) -> RateKey:
        return "time", self.role, None, None, self.resource, self.unit


class ExpenseRateIn(_RateIn):
    """What one unit of an expense is sold for. Sales lists only: what an expense costs, its entry says."""

    item_class: Literal["expense"] = Field(alias="class")
    category: Code | None = Field(default=None, description="Null: any category without a rate.", examples=["Travel"])
    unit: Code = "each"

    @property
    def key(self) -> RateKey:
        return "expense", None, self.category, None, self.resource, self.unit


class MaterialRateIn(_RateIn):
    """What one unit of a product is sold for. Sales lists only: what material costs, its entry says."""

    item_class: Literal["material"] = Field(alias="class")
    product: Code | None = Field(default=None, description="Null: any product without a rate.", examples=["CABLE"])
    unit: Code = "each"

    @property
    def key(self) -> RateKey:
        return "material", None, None, self.product, self.resource, self.unit


RateIn = Annotated[
    TimeRateIn | ExpenseRateIn | MaterialRateIn,
    one_of("class", {"time": TimeRateIn, "expense": ExpenseRateIn, "material": MaterialRateIn}),
]
Rates = Annotated[
    list[RateIn],
    Field(max_length=RATES_MAX, description="One rate for each class, role or category or product, resource and unit."),
]


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
    """One rate: the fields of the other classes and methods are null."""

    item_class: RateClass = Field(alias="class")
    role: str | None
    category: str | None
    product: str | None
    resource: str | None
    unit: str
    method: Method
    price: Price | None
    markup_percent: Price | None


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
    """A price list with its rates, by class, role, category, product, resource and unit."""

    rates: list[RateOut]


class PriceListFilter(Input):
    """Which price lists, and which page of them."""

    kind: Kind | None = None
    currency: CurrencyCode | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
