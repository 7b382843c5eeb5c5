"""Bodies of entries: what a caller may send, and what everybody is shown."""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from proforma.bodies import UNSENT, Code, Description, ExternalId, Input, Output, Patch, Resource
from proforma.events.time_expense import BillingType
from proforma.money import Quantity, QuantityFromZero
from time_expense.entries.rules import HOURS_MAX, HUNDREDTH, EntryClass, Status

# `class` is the field; `entry_class`, its name in Python, would be a second one that nobody knows of.
_BY_ALIAS = ConfigDict(extra="forbid", populate_by_name=False)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: object) -> object:
    # A number would be read as seconds since 1970, and an instant as a day in whatever zone its sender had.
    if isinstance(value, str) and _DAY.fullmatch(value) is None:
        raise ValueError("a day as YYYY-MM-DD")
    if not isinstance(value, (str, dt.date)) or isinstance(value, dt.datetime):
        raise ValueError("a day as YYYY-MM-DD")
    return value


def _hours(value: Decimal) -> Decimal:
    if value > HOURS_MAX:
        raise ValueError(f"at most {HOURS_MAX} hours a day")
    return value.quantize(HUNDREDTH)


Day = Annotated[dt.date, BeforeValidator(_day)]
Hours = Annotated[Quantity, AfterValidator(_hours)]
HourUnit = Annotated[str, Field(pattern="^hour$")]


class EntryIn(Input):
    """One entry as it is created."""

    model_config = _BY_ALIAS

    entry_class: EntryClass = Field(alias="class", examples=["time"])
    project: Code = Field(examples=["P-100"])
    task: Code | None = Field(default=None, examples=["design"])
    resource: Code = Field(description="Whose work it is.", examples=["ada"])
    role: Code = Field(description="What the work is priced by.", examples=["consultant"])
    date: Day = Field(examples=["2026-03-02"])
    quantity: Hours = Field(description="Hours, above 0, at most 24, two decimals at most.")
    unit: HourUnit = Field(default="hour", examples=["hour"])
    description: Description | None = Field(default=None, description="Internal.")
    external_description: Description | None = Field(default=None, description="Goes to the customer.")
    external_id: ExternalId | None = Field(default=None, description="Your own id of it, unique.", examples=["te-1"])


class EntryPatch(Patch):
    """What is to change of a draft or rejected entry."""

    project: Code = UNSENT
    task: Code | None = UNSENT
    resource: Code = UNSENT
    role: Code = UNSENT
    date: Day = UNSENT
    quantity: Hours = UNSENT
    unit: HourUnit = UNSENT
    description: Description | None = UNSENT
    external_description: Description | None = UNSENT
    external_id: ExternalId | None = UNSENT


class EntryOut(Resource):
    """One entry. `revision` counts its approvals; decision and billable quantity are the last one's."""

    external_id: str | None
    entry_class: EntryClass = Field(alias="class")
    project: str
    task: str | None
    resource: str
    role: str | None
    date: dt.date
    quantity: Quantity
    unit: str
    description: str | None
    external_description: str | None
    status: Status
    revision: int
    submitted_by: str | None
    submitted_at: dt.datetime | None
    decided_by: str | None
    decided_at: dt.datetime | None
    reason: str | None = Field(description="Why it was rejected.")
    billable_quantity: QuantityFromZero | None = Field(description="Set by the approval.")
    billing_type: BillingType | None = Field(description="Set by the approver; null leaves it to the contract line.")


class EntryFilter(Input):
    """Which entries; what is not given does not narrow."""

    model_config = _BY_ALIAS

    status: Status | None = None
    entry_class: EntryClass | None = Field(default=None, alias="class")
    project: Code | None = None
    resource: Code | None = None
    date_from: Day | None = Field(default=None, description="This day and later.")
    date_to: Day | None = Field(default=None, description="This day and earlier.")
    external_id: ExternalId | None = None


class EntryQuery(EntryFilter):
    """The filters of a list, and which page of it."""

    limit: int = Field(default=100, ge=1, le=1000, description="Items on the page.")
    after: str | None = Field(default=None, max_length=512, description="The `next` of the page before.")


class HistoryQuery(Input):
    """Which page of a history."""

    limit: int = Field(default=100, ge=1, le=1000, description="Items on the page.")
    after: str | None = Field(default=None, max_length=512, description="The `next` of the page before.")


class Change(Output):
    """A field before and after; texts, decimals and days as the API writes them."""

    before: str | None
    after: str | None


class HistoryOut(Output):
    """Who made which version of the entry, when and why."""

    entry_id: UUID
    version: int
    action: str = Field(examples=["approved"])
    status: Status
    by: str
    at: dt.datetime
    reason: str | None
    changes: dict[str, Change]
