"""The year's contracts as people agree them: over HTTP where that decides anything, by SQL where it is only many."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from uuid import UUID

from billing_backlog.schedules.schemas import InvoiceScheduleIn
from billing_backlog.schedules.service import create_schedules
from proforma.clock import SetClock
from proforma.runtime import Runtime
from tests.billing_backlog import scene
from tests.billing_backlog.masters import Json, Masters
from tests.support.api import Api
from tests.support.rows import change
from tests.year.portfolio import FIRST, Contract, Line

_SCHEDULES_AT_ONCE = 50


async def agree(runtime: Runtime, api: Api, contracts: Sequence[Contract], clock: SetClock) -> None:
    """Contracts, lines, milestones, products and schedules; it is the first morning of the year, in UTC."""
    clock.set(datetime.combine(FIRST, time(6), tzinfo=UTC))
    await scene.firm(runtime)
    desk = Masters(api)
    for contract in contracts:
        worked = {line.id: line.project for line in contract.lines if line.kind != "fixed"}
        await scene.contract(runtime, contract.id, worked)
        await change(runtime, "update contracts set time_zone = $2 where id = $1", contract.id, contract.zone)
        await _agreed_sums(desk, contract)
    await _schedules(runtime, [line for one in contracts for line in one.lines if line.kind != "fixed"])


async def _agreed_sums(desk: Masters, contract: Contract) -> None:
    """Fixed prices with their milestones, and the product; from here on they have the ids that the service gave."""
    at: Json = {"id": str(contract.id)}
    for line in contract.lines:
        if line.kind == "fixed":
            whole = str(sum(one.amount for one in line.things))
            terms = {"billing_method": "fixed_price", "contracted_amount": whole, "project": line.project}
            made = await desk.line(at, **terms)
            line.id = UUID(made["id"])
            parts = [await desk.milestone(made, date=str(one.day), amount=str(one.amount)) for one in line.things]
            line.things = [
                replace(one, id=UUID(part["id"]), line=line.id) for one, part in zip(line.things, parts, strict=True)
            ]
    if contract.product is not None:
        product = UUID((await desk.product(at))["id"])
        contract.product = replace(contract.product, id=product, line=product)


async def _schedules(runtime: Runtime, lines: Sequence[Line]) -> None:
    for first in range(0, len(lines), _SCHEDULES_AT_ONCE):
        bodies = {
            f"/{n}": InvoiceScheduleIn.model_validate({"contract_line_id": line.id, **line.terms})
            for n, line in enumerate(lines[first : first + _SCHEDULES_AT_ONCE])
        }
        async with runtime.database.transaction() as session:
            await create_schedules(session, runtime.context("ann"), bodies)
