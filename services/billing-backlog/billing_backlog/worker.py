"""What the worker does: events in, jobs, loops, and what can be asked again."""

from collections.abc import Mapping

from billing_backlog.backlog.service import JOBS as BACKLOG_JOBS
from billing_backlog.backlog.service import SUMS
from billing_backlog.billing_types.service import JOBS as BILLING_TYPE_JOBS
from billing_backlog.cancellations.handlers import HANDLERS as CANCELLATION_HANDLERS
from billing_backlog.checks.service import JOBS as CHECK_JOBS
from billing_backlog.claims.handlers import HANDLERS as CLAIM_HANDLERS
from billing_backlog.claims.service import send_again
from billing_backlog.entries.handlers import HANDLERS as ENTRY_HANDLERS
from billing_backlog.loop import extend_schedules, measure_regularly, run_waiting_triggers
from billing_backlog.milestones.service import JOBS as MILESTONE_JOBS
from billing_backlog.postings.handlers import HANDLERS as POSTING_HANDLERS
from billing_backlog.postings.service import ask_again
from billing_backlog.product_backlog.service import JOBS as PRODUCT_JOBS
from billing_backlog.reevaluation.service import JOBS as REEVALUATION_JOBS
from billing_backlog.run_claims.service import retry_again
from billing_backlog.runs.service import JOBS as RUN_JOBS
from billing_backlog.triggers.handlers import HANDLERS as TRIGGER_HANDLERS
from billing_backlog.triggers.service import ask as ask_trigger
from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.waiting import Ask
from proforma.worker import Work

HANDLERS = Handlers(*ENTRY_HANDLERS, *CANCELLATION_HANDLERS, *CLAIM_HANDLERS, *POSTING_HANDLERS, *TRIGGER_HANDLERS)
JOBS = (*BACKLOG_JOBS, *BILLING_TYPE_JOBS, *MILESTONE_JOBS, *PRODUCT_JOBS, *RUN_JOBS, *CHECK_JOBS, *REEVALUATION_JOBS)
ASKS: Mapping[str, Ask] = {
    "claim": send_again,
    "posting": ask_again,
    "trigger": ask_trigger,
    "failed_run": retry_again,
}


def build_work(_: Runtime) -> Work:
    """The worker's parts."""
    loops = [run_waiting_triggers, extend_schedules, measure_regularly]
    return Work(handlers=HANDLERS, jobs=JOBS, loops=loops, asks=ASKS, sums=[SUMS])
