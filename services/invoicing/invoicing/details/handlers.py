"""Removing more details than one transaction should hold, as a job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.details import service
from invoicing.targets import TargetJob
from proforma.bodies import BulkResult
from proforma.context import Context
from proforma.jobs import Job


async def _remove(session: AsyncSession, context: Context, job: Job, ids: Sequence[UUID]) -> BulkResult:
    return await service.remove_many(session, context, UUID(job.params["invoice_id"]), ids, None)


JOBS = (TargetJob(service.REMOVE_JOB, service.fix_targets, _remove),)
