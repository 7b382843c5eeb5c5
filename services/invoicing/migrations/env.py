"""Alembic's entry: the tables of this service."""

from invoicing.base import Base
from invoicing.claims import tables as _claims
from invoicing.confirmation import tables as _confirmation
from invoicing.details import tables as _details
from invoicing.invoices import tables as _invoices
from proforma.migrations import run_env

# Importing a noun's tables enters them into the metadata.
_ALL = (_claims, _confirmation, _details, _invoices)

run_env(Base.metadata)
