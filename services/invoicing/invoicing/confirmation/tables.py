"""The table that numbers come from."""

from sqlmodel import Field

from invoicing.base import Base


class InvoiceNumber(Base, table=True):
    """The last number given in a year. A counter row and not a sequence: a sequence leaves a gap at every rollback."""

    __tablename__ = "invoice_numbers"

    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    last: int
