"""What invoicing's worker does: claims on to drafts, the ledger's answers on to invoices, bulk calls over many."""

from collections.abc import Mapping

from invoicing.confirmation.handlers import OWN
from invoicing.details.handlers import JOBS as DETAILS
from invoicing.drafting.handlers import HANDLERS as DRAFTING
from invoicing.editing.handlers import JOBS as EDITING
from invoicing.invoices.service import SUMS
from invoicing.payments.handlers import JOBS as PAYMENTS
from invoicing.postings.handlers import HANDLERS as POSTINGS
from invoicing.postings.service import ask_again
from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.waiting import Ask
from proforma.worker import Work

HANDLERS = Handlers(*DRAFTING, *POSTINGS)
JOBS = (*DETAILS, *EDITING, *PAYMENTS)
ASKS: Mapping[str, Ask] = {"posting_pending": ask_again}


def build_work(_: Runtime) -> Work:
    """The worker's handlers and jobs; invoicing has no loops of its own."""
    return Work(handlers=HANDLERS, own=Handlers(*OWN), jobs=JOBS, asks=ASKS, sums=[SUMS])
