"""Re-evaluation as tests run it: the call, its job, and what the ledger shows."""

import asyncio
from typing import Any

from billing_backlog.worker import JOBS
from proforma.jobs import JobRunner
from proforma.runtime import Runtime
from tests.billing_backlog.scene import CONTRACT, SALES
from tests.billing_backlog.terms import rate
from tests.support.api import Api
from tests.support.rows import change, rows

CALL = f"/v1/contracts/{CONTRACT}/re-evaluate"
LEDGER = """
select type, billing_type, quantity, amount, cause, contract_line_id is not null as on_line from actuals
where cause <> 'approve' order by type, quantity, id
"""


async def dearer(runtime: Runtime) -> None:
    """An hour of `dev` is sold for 220 instead of 200."""
    await change(runtime, "delete from rates where price_list_id = $1", SALES)
    await rate(runtime, "time", SALES, role="dev", price="220")


async def job(api: Api, path: str = CALL, body: object = None) -> dict[str, Any]:
    """Starts one, runs it to its end, and returns it."""
    answer = await api.as_("biller").post(path, json=body)
    assert answer.status_code == 202, answer.text
    await run_jobs(api)
    found: dict[str, Any] = (await api.as_("biller").get(answer.headers["location"])).json()
    assert found["status"] == "succeeded", found
    return found


async def run_jobs(api: Api) -> None:
    """Every job that is queued."""
    runner = JobRunner(api.runtime.database, api.runtime.context(), JOBS)
    while await runner.run_next(asyncio.Event()):
        pass


async def preview(api: Api, path: str = CALL, body: object = None) -> dict[str, Any]:
    """What it would do."""
    answer = await api.as_("biller").post(path, params={"preview": "true"}, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def posted(api: Api) -> list[tuple[Any, ...]]:
    """Rows that were posted after approval: (type, billing type, quantity, amount, cause, on a line)."""
    return [tuple(row.values()) for row in await rows(api.runtime, LEDGER)]
