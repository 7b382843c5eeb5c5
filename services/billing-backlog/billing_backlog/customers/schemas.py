"""Bodies of customers."""

from typing import Annotated

from pydantic import Field

from proforma import pages
from proforma.bodies import UNSENT, Description, ExternalId, Input, Name, Patch, Resource

PaymentTerms = Annotated[int, Field(ge=0, le=3650, description="Days until payment is due.", examples=[30])]


class CustomerIn(Input):
    """Who is billed."""

    name: Name = Field(examples=["Harbour Works Ltd"])
    external_id: ExternalId | None = None
    billing_address: Description | None = Field(default=None, examples=["1 Quay Street\nBristol"])
    payment_terms_days: PaymentTerms | None = None
    tax_id: Name | None = Field(default=None, examples=["GB123456789"])


class CustomerPatch(Patch):
    """An edit of a customer. Invoices that exist keep the copy that they were made with."""

    name: Name = UNSENT
    external_id: ExternalId | None = UNSENT
    billing_address: Description | None = UNSENT
    payment_terms_days: PaymentTerms | None = UNSENT
    tax_id: Name | None = UNSENT


class CustomerOut(Resource):
    """A customer."""

    external_id: str | None
    name: str
    billing_address: str | None
    payment_terms_days: int | None
    tax_id: str | None


class CustomerFilter(Input):
    """Which customers, and which page of them."""

    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
