"""What the worker does besides sending events: jobs."""

from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.worker import Work
from time_expense.approvals.handlers import JOBS as MOVES

HANDLERS = Handlers()


def build_work(_: Runtime) -> Work:
    """The worker's parts."""
    return Work(handlers=HANDLERS, jobs=MOVES)
