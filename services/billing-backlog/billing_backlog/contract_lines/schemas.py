"""Bodies of contract lines."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from billing_backlog.contract_lines.rules import method_errors
from billing_backlog.variants import one_of, wrong
from proforma import pages
from proforma.bodies import UNSENT, Code, ExternalId, Input, Name, Patch, Resource
from proforma.money import Amount, Price, Quantity

TASKS_MAX = 500

Kind = Literal["project", "product"]
BillingMethod = Literal["time_and_material", "fixed_price"]
IncludedClass = Literal["time", "expense", "material", "fee"]
AgreedStatus = Literal["unbilled", "ready", "on_invoice", "posted", "canceled"]


def _each_once(values: list[str] | None) -> list[str] | None:
    if values is not None and len(set(values)) != len(values):
        raise ValueError("each value once")
    return values


Tasks = Annotated[
    Annotated[list[Code], Field(min_length=1, max_length=TASKS_MAX, json_schema_extra={"uniqueItems": True})] | None,
    AfterValidator(_each_once),
    Field(description="Codes of tasks; null is every task, and work without one.", examples=[["DESIGN", "BUILD"]]),
]
Codes = Annotated[
    list[Code],
    Field(max_length=TASKS_MAX, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]
Includes = Annotated[
    list[IncludedClass],
    Field(
        min_length=1,
        max_length=4,
        description="The classes of work that lie on the line; a fixed price includes no fees.",
        examples=[["time"]],
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_each_once),
]
FirstDay = Annotated[
    date | None,
    Field(description="First day of work, inclusive; null: since ever. A product line is billed whatever it says."),
]
LastDay = Annotated[date | None, Field(description="Last day of work, inclusive; null: without end.")]
BillingStart = Annotated[
    date | None, Field(description="Work dated before it is taken by no run (`before_billing_start`).")
]


ContractedAmount = Annotated[
    Amount, Field(gt=0, description="Fixed price only: what all milestones add up to.", examples=["12000.00"])
]
Tax = Annotated[Amount, Field(ge=0, description="In the contract's currency.", examples=["95.00"])]


class NonChargeable(Input):
    """Work that lies on the line and is not charged. Where the line has tasks of its own, tasks of those too."""

    roles: Codes = Field(default=[])
    categories: Codes = Field(default=[])
    tasks: Codes = Field(default=[], description="Among the line's `tasks`; none where the line takes all tasks.")


class ProjectLineIn(Input):
    """Which work a contract bills. One piece of work lies on one line of all active contracts."""

    contract_id: UUID
    name: Name = Field(examples=["Development"])
    external_id: ExternalId | None = None
    kind: Literal["project"]
    billing_method: BillingMethod
    project: Code = Field(examples=["PORTAL"])
    tasks: Tasks = None
    includes: Includes
    non_chargeable: NonChargeable = Field(default_factory=NonChargeable)
    contracted_amount: ContractedAmount | None = None
    valid_from: FirstDay = None
    valid_to: LastDay = None
    billing_start: BillingStart = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        errors = method_errors(self.billing_method, self.includes, self.contracted_amount)
        if errors:
            raise wrong(errors, self)
        return self

    def columns(self) -> dict[str, Any]:
        """The line as its table has it."""
        return in_columns(self.model_dump())


class ProductLineIn(Input):
    """A product that is sold as it is: price × quantity, billed at once when it is ready."""

    contract_id: UUID
    name: Name = Field(examples=["Routers"])
    external_id: ExternalId | None = None
    kind: Literal["product"]
    product: Code = Field(examples=["ROUTER-9"])
    quantity: Quantity
    unit: Code = "each"
    price: Price = Field(examples=["50.00"])
    tax: Tax = Decimal(0)
    valid_from: FirstDay = None
    valid_to: LastDay = None

    def columns(self) -> dict[str, Any]:
        """The line as its table has it, but for the amount, which its contract's currency rounds."""
        return self.model_dump()


ContractLineIn = Annotated[
    ProjectLineIn | ProductLineIn, one_of("kind", {"project": ProjectLineIn, "product": ProductLineIn})
]


class ContractLinePatch(Patch):
    """An edit of a line, of the fields of its kind. A line with work on it keeps its project.

    A product line that is on an invoice or posted keeps all that it says.
    """

    name: Name = UNSENT
    external_id: ExternalId | None = UNSENT
    project: Code = UNSENT
    tasks: Tasks = UNSENT
    includes: Includes = UNSENT
    non_chargeable: NonChargeable = UNSENT
    contracted_amount: ContractedAmount = UNSENT
    valid_from: FirstDay = UNSENT
    valid_to: LastDay = UNSENT
    billing_start: BillingStart = UNSENT
    product: Code = UNSENT
    quantity: Quantity = UNSENT
    unit: Code = UNSENT
    price: Price = UNSENT
    tax: Tax = UNSENT


class ContractLineOut(Resource):
    """A contract line. The fields of the other kind are null."""

    external_id: str | None
    contract_id: UUID
    name: str
    kind: Kind
    billing_method: BillingMethod | None
    project: str | None
    tasks: list[str] | None
    includes: list[IncludedClass] | None
    non_chargeable: NonChargeable | None
    contracted_amount: Amount | None
    valid_from: date | None
    valid_to: date | None
    billing_start: date | None
    product: str | None
    quantity: Quantity | None
    unit: str | None
    price: Price | None
    amount: Amount | None
    tax: Amount | None
    billing_status: AgreedStatus | None = Field(description="Of a product line; null: a project's items have theirs.")
    invoice_id: UUID | None = Field(description="The invoice that a product line is on.")


class ContractLineFilter(Input):
    """Which lines, and which page of them."""

    contract_id: UUID | None = None
    kind: Kind | None = None
    project: Code | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None


def in_columns(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a line as its table has them."""
    free = fields.pop("non_chargeable", None)
    if free is not None:
        given = free if isinstance(free, dict) else free.model_dump()
        fields |= {f"non_chargeable_{name}": codes for name, codes in given.items()}
    return fields
