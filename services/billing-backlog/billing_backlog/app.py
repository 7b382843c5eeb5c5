"""The HTTP app: every noun's router."""

from fastapi import FastAPI

from billing_backlog.worker import ASKS, HANDLERS
from proforma.admin import admin_routers
from proforma.http import create_app
from proforma.runtime import Runtime

DESCRIPTION = """
Contracts and prices, the append-only ledger of actuals, what is waiting to be billed, and the runs and claims that
put it on invoices.
"""


def build_app(runtime: Runtime) -> FastAPI:
    """The service's app."""
    return create_app(runtime, [*admin_routers(HANDLERS, ASKS)], "Proforma: billing backlog", DESCRIPTION)
