"""Bodies of contract lines."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from proforma import pages
from proforma.bodies import UNSENT, Code, ExternalId, Input, Name, Patch, Resource

TASKS_MAX = 500

IncludedClass = Literal["time", "expense", "material", "fee"]


def _each_once(values: list[str] | None) -> list[str] | None:
    if values is not None and len(set(values)) != len(values):
        raise ValueError("each value once")
    return values


Tasks = Annotated[
    Annotated[list[Code], Field(min_length=1, max_length=TASKS_MAX, json_schema_extra={"uniqueItems": True})] | None,
    AfterValidator(_each_once),
    Field(description="Codes of tasks; null is every task, and work without one.", examples=[["DESIGN", "BUILD"]]),
]
Includes = Annotated[
    list[IncludedClass],
    Field(
        min_length=1,
        max_length=4,
        description="The classes of work that lie on the line.",
        examples=[["time"]],
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_each_once),
]
FirstDay = Annotated[date | None, Field(description="First day of work, inclusive; null: since ever.")]
LastDay = Annotated[date | None, Field(description="Last day of work, inclusive; null: without end.")]
BillingStart = Annotated[
    date | None, Field(description="Work dated before it is taken by no run (`before_billing_start`).")
]


class ContractLineIn(Input):
    """Which work a contract bills. One piece of work lies on one line of all active contracts."""

    contract_id: UUID
    name: Name = Field(examples=["Development"])
    external_id: ExternalId | None = None
    kind: Literal["project"]
    billing_method: Literal["time_and_material"]
    project: Code = Field(examples=["PORTAL"])
    tasks: Tasks = None
    includes: Includes
    valid_from: FirstDay = None
    valid_to: LastDay = None
    billing_start: BillingStart = None


class ContractLinePatch(Patch):
    """An edit of a line. A line with work on it keeps its project."""

    name: Name = UNSENT
    external_id: ExternalId | None = UNSENT
    project: Code = UNSENT
    tasks: Tasks = UNSENT
    includes: Includes = UNSENT
    valid_from: FirstDay = UNSENT
    valid_to: LastDay = UNSENT
    billing_start: BillingStart = UNSENT


class ContractLineOut(Resource):
    """A contract line."""

    external_id: str | None
    contract_id: UUID
    name: str
    kind: Literal["project"]
    billing_method: Literal["time_and_material"]
    project: str
    tasks: list[str] | None
    includes: list[IncludedClass]
    valid_from: date | None
    valid_to: date | None
    billing_start: date | None


class ContractLineFilter(Input):
    """Which lines, and which page of them."""

    contract_id: UUID | None = None
    project: Code | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
