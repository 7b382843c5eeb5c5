"""Bodies of entries: what a caller may send, and what everybody is shown."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from proforma.bodies import UNSENT, Code, Currency, Description, ExternalId, Input, Output, Patch, Resource
from proforma.events.time_expense import BillingType
from proforma.money import Price, Quantity, QuantityFromZero
from time_expense.entries.rules import CLASS_RULED, HUNDREDTH, UNITS, EntryClass, Status, cancellation, misfit

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


Day = Annotated[dt.date, BeforeValidator(_day)]
# Shown with its two decimals, however it was sent.
Number = Annotated[Quantity, AfterValidator(lambda value: value.quantize(HUNDREDTH))]


_ANYWHERE = {"project": "P-100", "resource": "ada", "date": "2026-03-02"}
_EXAMPLES: list[Any] = [
    {"class": "time", **_ANYWHERE, "task": "design", "role": "consultant", "quantity": "8.00"},
    {"class": "expense", **_ANYWHERE, "category": "travel", "quantity": "1.00", "unit_cost": "49.9", "currency": "EUR"},
    {"class": "material", **_ANYWHERE, "product": "cable", "quantity": "30.5", "unit": "m", "unit_cost": "0.1250",
     "currency": "EUR"},
]  # fmt: skip


class EntryIn(Input):
    """One entry as it is created: time, expense or material, each with its own fields and no other class's."""

    # What is not sent is judged too: a class may need it.
    model_config = ConfigDict(
        extra="forbid", populate_by_name=False, validate_default=True, json_schema_extra={"examples": _EXAMPLES}
    )

    entry_class: EntryClass = Field(alias="class", description="Fixed for good.", examples=["time"])
    project: Code = Field(examples=["P-100"])
    task: Code | None = Field(default=None, examples=["design"])
    resource: Code = Field(description="Whose work it is, or who spent or used it.", examples=["ada"])
    role: Code | None = Field(default=None, description="Time needs it: the work is priced by it.", examples=["dev"])
    category: Code | None = Field(default=None, description="An expense needs it: it is priced by it.")
    product: Code | None = Field(default=None, description="Material: this or `write_in`.")
    write_in: Code | None = Field(default=None, description="Material that has no product code, in words.")
    date: Day = Field(examples=["2026-03-02"])
    quantity: Number = Field(
        description="Above 0, up to 1,000,000, two decimals at most; of time hours, at most 24.", examples=["8.00"]
    )
    unit: Code | None = Field(
        default=None, description="`hour` of time, and nothing else; otherwise `each` unless sent.", examples=["hour"]
    )
    unit_cost: Price | None = Field(default=None, description="Expense and material need it: the cost of one unit.")
    currency: Currency | None = Field(default=None, description="Of the unit cost (ISO 4217); needed with it.")
    description: Description | None = Field(default=None, description="Internal.")
    external_description: Description | None = Field(default=None, description="Goes to the customer.")
    external_id: ExternalId | None = Field(default=None, description="Your own id of it, unique.", examples=["te-1"])

    @field_validator(*CLASS_RULED)
    @classmethod
    def _of_its_class(cls, value: Any, info: ValidationInfo) -> Any:
        """Also for what is not sent. A class that is not valid is named alone: it says nothing of the others."""
        name, known = str(info.field_name), info.data
        if "entry_class" not in known:
            return value
        detail = misfit(known["entry_class"], name, {**known, name: value})
        if detail is not None:
            raise ValueError(detail)
        return UNITS[known["entry_class"]] if name == "unit" and value is None else value


class EntryPatch(Patch):
    """What is to change of a draft or rejected entry. The whole must still be an entry of its class."""

    project: Code = UNSENT
    task: Code | None = UNSENT
    resource: Code = UNSENT
    role: Code | None = UNSENT
    category: Code | None = UNSENT
    product: Code | None = UNSENT
    write_in: Code | None = UNSENT
    date: Day = UNSENT
    quantity: Number = UNSENT
    unit: Code = UNSENT
    unit_cost: Price | None = UNSENT
    currency: Currency | None = UNSENT
    description: Description | None = UNSENT
    external_description: Description | None = UNSENT
    external_id: ExternalId | None = UNSENT


class Cancellation(Output):
    """The answer to the last question whether the approval may be canceled."""

    outcome: Literal["reversed", "refused"] = Field(
        description="`reversed`: the approval is canceled for good. `refused`: it stays."
    )
    reason: str | None = Field(description="Why it was refused: `on_invoice`, `posted` …", examples=["on_invoice"])
    invoice_id: UUID | None = Field(description="The invoice that holds the work.")


class EntryOut(Resource):
    """One entry. `revision` counts its approvals; decision and billable quantity are the last one's."""

    external_id: str | None
    entry_class: EntryClass = Field(alias="class")
    project: str
    task: str | None
    resource: str
    role: str | None
    category: str | None
    product: str | None
    write_in: str | None
    date: dt.date
    quantity: Quantity
    unit: str
    unit_cost: Price | None
    currency: str | None
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
    cancellation: Cancellation | None = Field(
        description="What became of the last question whether the approval may be canceled;"
        " gone with the next question or approval."
    )

    @model_validator(mode="before")
    @classmethod
    def _with_its_answer(cls, data: Any) -> Any:
        """A row of the database has the answer in three columns."""
        if not isinstance(data, Mapping):
            return data
        answer = cancellation(data["answer_outcome"], data["answer_reason"], data["answer_invoice_id"])
        return {**data, "cancellation": answer}


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
