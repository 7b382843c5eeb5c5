"""What the worker does besides sending events: the ledger's answers, jobs, and uploads that are done with."""

import asyncio
from collections.abc import Mapping

from proforma.failures import is_deterministic
from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.telemetry import logger
from proforma.waiting import Ask
from proforma.worker import Work
from time_expense.approvals.handlers import JOBS as MOVES
from time_expense.cancellations.handlers import HANDLERS as CANCELLATIONS
from time_expense.cancellations.service import ask_again
from time_expense.imports.handlers import JOBS as IMPORTS
from time_expense.uploads.service import drop_finished

SWEEP_S = 60

HANDLERS = Handlers(*CANCELLATIONS)
ASKS: Mapping[str, Ask] = {"cancellation": ask_again}

log = logger()


def build_work(_: Runtime) -> Work:
    """The worker's parts."""
    return Work(handlers=HANDLERS, jobs=[*MOVES, *IMPORTS], loops=[sweep], asks=ASKS)


async def sweep(runtime: Runtime, stop: asyncio.Event) -> None:
    """Takes uploads away whose jobs are over, also of those that failed or were canceled."""
    while not stop.is_set():
        try:
            async with runtime.database.transaction() as session:
                await drop_finished(session)
        except Exception as error:
            if is_deterministic(error):
                raise
            log.warning("uploads.sweep", problem=str(error))
        try:
            async with asyncio.timeout(SWEEP_S):
                await stop.wait()
        except TimeoutError:
            continue
