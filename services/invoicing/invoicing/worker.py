"""What invoicing's worker does: it takes claims on to drafts and the ledger's answers on to invoices."""

from collections.abc import Mapping

from invoicing.confirmation.handlers import OWN
from invoicing.drafting.handlers import HANDLERS as DRAFTING
from invoicing.invoices.service import SUMS
from invoicing.postings.handlers import HANDLERS as POSTINGS
from invoicing.postings.service import ask_again
from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.waiting import Ask
from proforma.worker import Work

HANDLERS = Handlers(*DRAFTING, *POSTINGS)
ASKS: Mapping[str, Ask] = {"posting_pending": ask_again}


def build_work(_: Runtime) -> Work:
    """The worker's handlers; invoicing has no jobs and no loops of its own."""
    return Work(handlers=HANDLERS, own=Handlers(*OWN), asks=ASKS, sums=[SUMS])
