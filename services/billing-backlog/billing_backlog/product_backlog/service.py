"""Marking product lines ready, as the backlog does its items."""

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.backlog import service as backlog
from billing_backlog.backlog.schemas import BulkIn, ItemFilter
from billing_backlog.backlog.service import Move, MoveJob
from billing_backlog.product_backlog.schemas import ProductsIn
from proforma.bodies import BulkResult, JobOut
from proforma.context import Context

READY = Move("mark-ready", "unbilled", "ready", "product", "product-backlog")
UNREADY = Move("unmark-ready", "ready", "unbilled", "product", "product-backlog")


async def mark(session: AsyncSession, context: Context, body: ProductsIn, verb: Move) -> BulkResult | JobOut:
    """Moves product lines between unbilled and ready; above 1,000 as a job. Lines of projects are not found here."""
    wanted = ItemFilter(**body.filter.model_dump()) if body.filter is not None else None
    return await backlog.bulk(session, context, BulkIn(ids=body.ids, filter=wanted), verb)


JOBS = (MoveJob(READY), MoveJob(UNREADY))
