"""Frequencies in bodies, and as the database keeps them."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from billing_backlog.frequencies.rules import RUNS_A_MONTH_MAX, Frequency, Occurrence, Weekday
from billing_backlog.variants import one_of, wrong
from proforma.bodies import Input

_DAY_MAX = 31


def _day(value: object) -> object:
    if value == "last" or (type(value) is int and 1 <= value <= _DAY_MAX):
        return value
    raise ValueError("a day of the month, 1 to 31, or 'last'")


def _each_once(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("each value once")
    return values


MonthDay = Annotated[
    Annotated[int, Field(ge=1, le=_DAY_MAX)] | Literal["last"],
    BeforeValidator(_day),
]
Days = Annotated[
    list[MonthDay],
    Field(
        min_length=1,
        max_length=RUNS_A_MONTH_MAX,
        description="Days of the month. Where a month is shorter its last day stands for 29 to 31, once.",
        examples=[[1, "last"]],
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_each_once),
]
Occurrences = Annotated[
    Annotated[Occurrence, Tag("one")]
    | Annotated[
        list[Occurrence], Field(min_length=1, max_length=RUNS_A_MONTH_MAX), AfterValidator(_each_once), Tag("many")
    ],
    Discriminator(lambda value: "many" if isinstance(value, list) else "one"),
    Field(description="Which of the month's such weekdays: one, or up to four of them.", examples=["first"]),
]


class WeekFrequency(Input):
    """Every week, or every two weeks counted from the first such weekday on or after `start`."""

    period: Literal["week", "two_weeks"]
    weekday: Weekday = Field(examples=["monday"])

    def rule(self) -> Frequency:
        return Frequency(self.period, self.weekday)


class MonthFrequency(Input):
    """Every month, one to four times: on `days`, or on occurrences of a weekday."""

    period: Literal["month"]
    days: Days | None = None
    weekday: Weekday | None = None
    occurrence: Occurrences | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.days is not None:
            named = [name for name in ("weekday", "occurrence") if getattr(self, name) is not None]
            if named:
                raise wrong(dict.fromkeys(named, "not together with days"), self)
        elif self.weekday is None and self.occurrence is None:
            raise wrong({"days": "days, or weekday and occurrence"}, self)
        elif self.weekday is None or self.occurrence is None:
            missing = "weekday" if self.weekday is None else "occurrence"
            raise wrong({missing: "weekday and occurrence go together"}, self)
        return self

    def rule(self) -> Frequency:
        named = self.occurrence if isinstance(self.occurrence, list) else [self.occurrence] if self.occurrence else []
        return Frequency("month", self.weekday, tuple(self.days or ()), tuple(named))


FrequencyBody = Annotated[
    WeekFrequency | MonthFrequency,
    one_of("period", {"week": WeekFrequency, "two_weeks": WeekFrequency, "month": MonthFrequency}),
]

_KEPT: TypeAdapter[WeekFrequency | MonthFrequency] = TypeAdapter(FrequencyBody)


def kept(frequency: WeekFrequency | MonthFrequency) -> str:
    """The frequency as the database keeps it."""
    return frequency.model_dump_json(exclude_none=True)


def read(text: str) -> WeekFrequency | MonthFrequency:
    """The frequency that `kept` wrote."""
    return _KEPT.validate_json(text)
