"""Bodies of requests and responses that every noun shares: base classes, texts, pages, bulk answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

T = TypeVar("T")

# PostgreSQL's text cannot hold NUL, and no code or name wants control characters: they are refused at the door.
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_MULTILINE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PRINTABLE)]
"""A code that another system owns (project, task, resource, role ...), kept as given."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Description = Annotated[str, StringConstraints(max_length=2000, pattern=_MULTILINE)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_MULTILINE)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_PRINTABLE)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""

# These two are whatever the machine is set to.
_ZONES = available_timezones().difference({"localtime", "Factory"})


def _zone(value: str) -> str:
    if value not in _ZONES:
        raise ValueError("an IANA time zone, such as Europe/Berlin")
    return value


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]


class Input(BaseModel):
    """A request body: a field that we do not know is an error, because it is most likely a typing error about money."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def _without_defaults(schema: dict[str, Any]) -> None:
    for one in schema["properties"].values():
        one.pop("default", None)


UNSENT: Any = None
"""The default of every field of a `Patch`: never read, and no value that a caller may send unless the type says so."""


class Patch(Input):
    """The body of an edit: what is not sent stays as it is, and null is a value only where a field may be empty."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    def changes(self) -> dict[str, Any]:
        """What was sent, by field name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class Output(BaseModel):
    """A response body."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True, serialize_by_alias=True)


class Resource(Output):
    """What every resource shows."""

    id: UUID
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime


class Page(Output, Generic[T]):
    """One page of a list; `next` is the cursor for `?after=`, null on the last page."""

    items: list[T]
    next: str | None = None


class Items(Output, Generic[T]):
    """The answer to a create with an array."""

    items: list[T]


class Refusal(Output):
    """One thing that a bulk call left as it was, and why."""

    id: UUID
    reason: str
    detail: str


class BulkResult(Output):
    """What a bulk call did: things already in the wanted state count as unchanged."""

    changed: int
    unchanged: int
    refused: list[Refusal] = []


class JobOut(Output):
    """A long-running piece of work. `result` depends on the kind."""

    id: UUID
    kind: str
    status: Literal["queued", "running", "succeeded", "failed", "canceled"]
    total: int | None
    done: int
    refused: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None


class ProblemOut(BaseModel):
    """RFC 9457 problem."""

    type: str = Field(examples=["urn:proforma:problem:conflict"])
    title: str
    status: int
    detail: str
    instance: str | None = None
    reason: str | None = None
    errors: list[dict[str, Any]] | None = None

    model_config = ConfigDict(extra="allow")


def _one_or_many(value: object) -> str:
    return "many" if isinstance(value, list) else "one"


def one_or_many(model: type[BaseModel], most: int = 1000) -> Any:
    """The body of a create: one object, or an array of 1 to `most` of them."""
    many = Annotated[list[model], Field(min_length=1, max_length=most)]  # type: ignore[valid-type]
    return Annotated[Annotated[model, Tag("one")] | Annotated[many, Tag("many")], Discriminator(_one_or_many)]


OneOrMany = Annotated[
    Annotated[T, Tag("one")] | Annotated[list[T], Field(min_length=1, max_length=1000), Tag("many")],
    Discriminator(_one_or_many),
]
"""`body: OneOrMany[CustomerIn]`: `one_or_many` in a form that type checkers can read."""


def as_list(body: T | Sequence[T]) -> list[T]:
    """The objects of a create, whether one or an array was sent."""
    return list(body) if isinstance(body, list) else [body]  # type: ignore[list-item]


def by_pointer(body: T | list[T]) -> dict[str, T]:
    """The objects of a create, in order, by their JSON pointer: "" for one object; "/0", "/1" ... for an array's."""
    return {f"/{n}": one for n, one in enumerate(body)} if isinstance(body, list) else {"": body}
