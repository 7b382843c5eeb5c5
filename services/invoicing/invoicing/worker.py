"""What invoicing's worker does: it takes claims on to drafts and the ledger's answers on to invoices."""

from invoicing.drafting.handlers import HANDLERS as DRAFTING
from invoicing.postings.handlers import HANDLERS as POSTINGS
from proforma.handlers import Handlers
from proforma.runtime import Runtime
from proforma.worker import Work

HANDLERS = Handlers(*DRAFTING, *POSTINGS)


def build_work(_: Runtime) -> Work:
    """The worker's handlers; invoicing has no jobs and no loops of its own."""
    return Work(handlers=HANDLERS)
