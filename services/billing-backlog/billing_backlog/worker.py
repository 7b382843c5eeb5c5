"""What the worker does: events in, jobs, loops, and what can be asked again."""

from collections.abc import Mapping

from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.waiting import Ask
from proforma.worker import Work

HANDLERS = Handlers()
ASKS: Mapping[str, Ask] = {}


def build_work(_: Runtime) -> Work:
    """The worker's parts."""
    return Work(handlers=HANDLERS)
