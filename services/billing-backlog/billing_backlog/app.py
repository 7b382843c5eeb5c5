"""The HTTP app: every noun's router."""

from fastapi import APIRouter, FastAPI

from billing_backlog.backlog.routes import routes as backlog
from billing_backlog.billing_types.routes import routes as billing_types
from billing_backlog.checks.routes import routes as checks
from billing_backlog.contract_lifecycle.routes import routes as contract_lifecycle
from billing_backlog.contract_lines.routes import routes as contract_lines
from billing_backlog.contracts.routes import routes as contracts
from billing_backlog.customers.routes import routes as customers
from billing_backlog.exchange_rates.routes import routes as exchange_rates
from billing_backlog.explanations.routes import routes as explanations
from billing_backlog.journal_lines.routes import routes as journal_lines
from billing_backlog.ledger.routes import contract_routes as summaries
from billing_backlog.ledger.routes import routes as actuals
from billing_backlog.lineage.routes import routes as lineage
from billing_backlog.milestones.routes import routes as milestones
from billing_backlog.postings.routes import routes as postings
from billing_backlog.price_lists.routes import routes as price_lists
from billing_backlog.product_backlog.routes import routes as product_backlog
from billing_backlog.reevaluation.routes import routes as reevaluation
from billing_backlog.run_claims.routes import routes as run_claims
from billing_backlog.run_days.routes import routes as run_days
from billing_backlog.runs.routes import contract_routes as create_invoice
from billing_backlog.runs.routes import routes as runs
from billing_backlog.schedule_previews.routes import routes as schedule_previews
from billing_backlog.schedules.routes import routes as invoice_schedules
from billing_backlog.worker import ASKS, HANDLERS
from proforma.admin import admin_routers
from proforma.http import create_app
from proforma.runtime import Runtime

DESCRIPTION = """
Contracts and prices, the append-only ledger of actuals, what is waiting to be billed, and the runs and claims that
put it on invoices.
"""
NOUNS: list[APIRouter] = [
    customers,
    price_lists,
    exchange_rates,
    contracts,
    contract_lifecycle,
    reevaluation,
    contract_lines,
    invoice_schedules,
    schedule_previews,
    milestones,
    backlog,
    explanations,
    billing_types,
    journal_lines,
    product_backlog,
    create_invoice,
    runs,
    run_claims,
    run_days,
    postings,
    actuals,
    lineage,
    summaries,
    checks,
]


def build_app(runtime: Runtime) -> FastAPI:
    """The service's app."""
    routers = [*NOUNS, *admin_routers(HANDLERS, ASKS)]
    return create_app(runtime, routers, "Proforma: billing backlog", DESCRIPTION)
