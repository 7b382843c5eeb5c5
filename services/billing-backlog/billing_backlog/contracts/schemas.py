"""Bodies of contracts."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from proforma import pages
from proforma.bodies import UNSENT, Currency, ExternalId, Input, Name, Patch, Resource, TimeZone

SALES_LISTS_MAX = 100

Status = Literal["draft", "active", "closed"]
CurrencyCode = Annotated[Currency, Field(examples=["EUR"])]
SalesLists = Annotated[
    list[UUID],
    Field(
        max_length=SALES_LISTS_MAX,
        description="Price lists of kind sales in the contract's currency, apart in their validity.",
    ),
]
CostList = Annotated[UUID | None, Field(description="A price list of kind cost, in any currency.")]
EndDate = Annotated[
    date | None,
    Field(
        description="Work dated after it is taken by no run (`after_contract_end`).",
        examples=["2026-12-31"],
    ),
]
Zone = Annotated[TimeZone, Field(description="IANA name: decides what day it is.", examples=["Europe/Berlin"])]


class ContractIn(Input):
    """A new contract: a draft until it is activated."""

    name: Name = Field(examples=["Harbour portal 2026"])
    customer_id: UUID
    external_id: ExternalId | None = None
    currency: CurrencyCode
    sales_price_list_ids: SalesLists = Field(default=[])
    cost_price_list_id: CostList = None
    end_date: EndDate = None
    time_zone: Zone = "UTC"


class ContractPatch(Patch):
    """An edit of a contract. Customer, currency and time zone are fixed once work is on it."""

    name: Name = UNSENT
    customer_id: UUID = UNSENT
    external_id: ExternalId | None = UNSENT
    currency: CurrencyCode = UNSENT
    sales_price_list_ids: SalesLists = UNSENT
    cost_price_list_id: CostList = UNSENT
    end_date: EndDate = UNSENT
    time_zone: Zone = UNSENT


class ContractOut(Resource):
    """A contract."""

    external_id: str | None
    name: str
    customer_id: UUID
    currency: str
    sales_price_list_ids: list[UUID]
    cost_price_list_id: UUID | None
    end_date: date | None
    time_zone: str
    status: Status


class ContractFilter(Input):
    """Which contracts, and which page of them."""

    status: Status | None = None
    customer_id: UUID | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
