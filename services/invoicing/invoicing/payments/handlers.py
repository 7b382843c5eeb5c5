"""Marking more invoices as paid than one transaction should hold, as a job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.payments import service
from invoicing.targets import TargetJob
from proforma.bodies import BulkResult
from proforma.context import Context
from proforma.jobs import Job


async def _pay(session: AsyncSession, context: Context, _: Job, ids: Sequence[UUID]) -> BulkResult:
    return await service.mark_many_paid(session, context, ids)


JOBS = (TargetJob(service.PAID_JOB, service.fix_targets, _pay),)
