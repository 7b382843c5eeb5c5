"""Invoicing's HTTP interface."""

from fastapi import FastAPI

from invoicing.claims.routes import routes as claims
from invoicing.confirmation.routes import routes as confirmation
from invoicing.corrections.routes import routes as corrections
from invoicing.details.routes import routes as details
from invoicing.documents.routes import routes as documents
from invoicing.editing.routes import routes as editing
from invoicing.invoices.routes import routes as invoices
from invoicing.payments.routes import routes as payments
from invoicing.worker import ASKS, HANDLERS
from proforma.admin import admin_routers
from proforma.http import create_app
from proforma.runtime import Runtime

DESCRIPTION = """Proforma invoices: drafted from claimed items, reviewed, confirmed once and never changed after that.

Every change of an invoice, its lines or its details raises its `version`; confirming names the version that was
reviewed. Removing, dropping and discarding give items back to the billing backlog. A confirmed invoice is corrected by
another one.
"""

ROUTERS = [
    invoices,
    documents,
    details,
    editing,
    claims,
    confirmation,
    corrections,
    payments,
    *admin_routers(HANDLERS, ASKS),
]


def build_app(runtime: Runtime) -> FastAPI:
    """The app with every route of the service."""
    return create_app(runtime, ROUTERS, "Proforma invoicing", DESCRIPTION)
