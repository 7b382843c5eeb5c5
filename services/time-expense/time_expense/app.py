"""The HTTP app: every noun's router."""

from fastapi import FastAPI

from proforma.admin import admin_routers
from proforma.http import create_app
from proforma.runtime import Runtime
from time_expense.approvals.routes import routes as approvals
from time_expense.entries.routes import routes as entries
from time_expense.imports.routes import PATH as IMPORT
from time_expense.imports.routes import routes as imports
from time_expense.worker import ASKS, HANDLERS

DESCRIPTION = """
Time, expense and material, from draft to the first approval. What is approved goes to the billing backlog by topic;
whether an approval may be canceled is asked there.
"""


def build_app(runtime: Runtime) -> FastAPI:
    """The service's app."""
    # Verbs first: in /v1/entries/{id} they would be read as ids.
    routers = [approvals, imports, entries, *admin_routers(HANDLERS, ASKS)]
    return create_app(runtime, routers, "Proforma: time and expense", DESCRIPTION, streamed=[IMPORT])
