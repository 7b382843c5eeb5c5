"""HTTP of triggers: read only, billing-backlog's schedules make them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from proforma.auth import ROLES, role
from proforma.bodies import Page
from proforma.http import Tx, router
from proforma.problems import problems
from scheduler.triggers import service
from scheduler.triggers.schemas import TriggerFilter, TriggerOut

routes = router("/v1/triggers", "triggers")
_read = role(*ROLES)


@routes.get("", dependencies=[_read])
async def list_triggers(session: Tx, filters: Annotated[TriggerFilter, Query()]) -> Page[TriggerOut]:
    """Triggers by contract, contract line, run date and status."""
    return await service.page(session, filters)


@routes.get("/{trigger_id}", dependencies=[_read], responses=problems(404))
async def show_trigger(trigger_id: UUID, session: Tx) -> TriggerOut:
    """One trigger."""
    return await service.show(session, trigger_id)
