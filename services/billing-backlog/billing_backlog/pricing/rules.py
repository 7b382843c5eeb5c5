"""What a unit of work is sold for and what it costs: the rate that is found, and the price that it makes (domain §1.3).

Pure: no framework, no I/O.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from uuid import UUID

from proforma.money import AMOUNT_MAX, PRICE_MAX

NO_PRICE, NO_EXCHANGE_RATE = "no_price", "no_exchange_rate"
PRICE_UNIT = Decimal("0.0001")
# A cost, a rate of exchange and a markup have 39 digits together: with Python's 28 it would be rounded twice.
_DIGITS = 60

RateKey = tuple[str, str | None, str | None, str]
"""(class, role or category or product, resource, unit) of a rate; None where it holds for all of them."""

Exchange = tuple[str, str, date]
"""(from, to, day of the work)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate of a price list. `per_unit` has a price, in the list's currency; `markup` a percentage on the cost."""

    id: UUID
    method: str
    price: Decimal | None = None
    markup_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceList:
    """A price list with those of its rates that matter here. Validity is inclusive, None is open."""

    id: UUID
    currency: str
    valid_from: date | None
    valid_to: date | None
    created_at: datetime
    rates: Mapping[RateKey, Rate]

    def holds(self, on: date) -> bool:
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be priced. `key`: the role of time, category of an expense, product of material.

    `quantity` is the most that is posted at the price: its amount has to be within the limits.
    """

    item_class: str
    key: str | None
    resource: str
    unit: str
    date: date
    quantity: Decimal
    unit_cost: Decimal | None = None
    cost_currency: str | None = None

    def fits(self) -> Iterator[RateKey]:
        """The rates that fit, the most specific first. Units are never converted; time has no rate without a role."""
        keys = [self.key] if self.key is not None else []
        for key in keys if self.item_class == "time" else [*keys, None]:
            yield self.item_class, key, self.resource, self.unit
            yield self.item_class, key, None, self.unit


@dataclass(frozen=True, slots=True)
class Priced:
    """A price per unit in `currency`. Without one `price` and `currency` are None, never 0, and `unpriced` says why."""

    price: Decimal | None
    currency: str | None
    rate_id: UUID | None = None
    exchange_rate_id: UUID | None = None
    unpriced: str | None = None


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """How many units of the one currency a unit of the other is."""

    id: UUID
    rate: Decimal


def find_rate(wanted: Wanted, lists: Iterable[PriceList]) -> tuple[PriceList, Rate] | None:
    """The first list that holds on the day of the work and has a rate for it, with its most specific one."""
    for one in lists:
        if one.holds(wanted.date):
            for key in wanted.fits():
                if key in one.rates:
                    return one, one.rates[key]
    return None


def cost_price(wanted: Wanted, own_list: UUID | None, cost_lists: Sequence[PriceList]) -> Priced:
    """What a unit costs: time by the contract's own cost list, or else by the newest that has the work; the rest is
    what its entry says, in the entry's currency."""
    if wanted.item_class != "time":
        return _within(Priced(wanted.unit_cost, wanted.cost_currency), wanted)
    lists = cost_lists if own_list is None else [one for one in cost_lists if one.id == own_list]
    found = find_rate(wanted, sorted(lists, key=lambda one: (one.created_at, one.id), reverse=True))
    if found is None:
        return Priced(None, None, unpriced=NO_PRICE)
    return _within(Priced(found[1].price, found[0].currency, found[1].id), wanted)


def exchange_wanted(wanted: Wanted, cost: Priced, currency: str) -> Exchange | None:
    """Which exchange rate a price made of the cost would need; None where it is the same currency."""
    if cost.currency is None or cost.currency == currency:
        return None
    return cost.currency, currency, wanted.date


def sales_price(
    wanted: Wanted,
    currency: str,
    lists: Sequence[PriceList],
    cost: Priced,
    exchange: Mapping[Exchange, ExchangeRate],
) -> Priced:
    """What a unit is sold for, in the contract's `currency`; `lists` are the contract's, in its order.

    at_cost and markup start from what the unit costs, converted once and rounded once, half up to four decimals.
    """
    found = find_rate(wanted, lists)
    if found is None:
        return Priced(None, None, unpriced=NO_PRICE)
    price_list, rate = found
    if rate.method == "per_unit":
        return _within(Priced(rate.price, price_list.currency, rate.id), wanted)
    if cost.price is None:
        return Priced(None, None, rate.id, unpriced=NO_PRICE)
    pair = exchange_wanted(wanted, cost, currency)
    if pair is not None and pair not in exchange:
        return Priced(None, None, rate.id, unpriced=NO_EXCHANGE_RATE)
    conversion = exchange[pair] if pair is not None else None
    price = marked_up(cost.price, rate.markup_percent, conversion.rate if conversion else None)
    return _within(Priced(price, currency, rate.id, conversion.id if conversion else None), wanted)


def marked_up(cost: Decimal, percent: Decimal | None, exchange: Decimal | None) -> Decimal:
    """cost × (1 + percent / 100) × exchange, rounded half up to four decimals, once."""
    with localcontext() as exact:
        exact.prec = _DIGITS
        factor = 1 + (percent or Decimal(0)) / 100
        return (cost * factor * (exchange or Decimal(1))).quantize(PRICE_UNIT, ROUND_HALF_UP)


def _within(priced: Priced, wanted: Wanted) -> Priced:
    """The price, where there is one and it and its amount can be written down; else none, which somebody sees."""
    if priced.price is None or priced.currency is None:
        return Priced(None, None, priced.rate_id, unpriced=NO_PRICE)
    if priced.price > PRICE_MAX or priced.price * wanted.quantity > AMOUNT_MAX:
        return Priced(None, None, priced.rate_id, priced.exchange_rate_id, NO_PRICE)
    return priced
