"""Who is billed."""

from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow


class Customer(ResourceRow, table=True):
    """A customer; claims and invoices carry a copy of it as it was."""

    __tablename__ = "customers"

    name: str = Field(sa_type=TEXT)
    billing_address: str | None = Field(default=None, sa_type=TEXT)
    payment_terms_days: int | None = None
    tax_id: str | None = Field(default=None, sa_type=TEXT)
