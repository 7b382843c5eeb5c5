"""The OpenAPI documents of the four services, as they serve them, without starting anything."""

from typing import Any

from billing_backlog.__main__ import SERVICE as BILLING_BACKLOG
from invoicing.__main__ import SERVICE as INVOICING
from proforma.runtime import Runtime
from proforma.service import Service
from proforma.settings import ServiceSettings
from scheduler.__main__ import SERVICE as SCHEDULER
from time_expense.__main__ import SERVICE as TIME_EXPENSE

SERVICES: tuple[Service, ...] = (TIME_EXPENSE, BILLING_BACKLOG, INVOICING, SCHEDULER)

# Nothing connects to any of these: an app is made, asked for its document and thrown away.
_NOWHERE = {
    "database_url": "postgresql://nobody@localhost/nothing",
    "kafka": "localhost:9092",
    "auth_jwks_url": "http://localhost/jwks.json",
    "auth_issuer": "https://issuer.example",
    "auth_audience": "proforma",
}


def runtime_of(service: Service) -> Runtime:
    """Settings enough to describe the service, not to run it."""
    return service.runtime(ServiceSettings.model_validate(_NOWHERE), "docs")


def document_of(service: Service) -> dict[str, Any]:
    """What `/openapi.json` answers."""
    document: dict[str, Any] = service.app(runtime_of(service)).openapi()
    return document
