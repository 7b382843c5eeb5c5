"""Editing more details than one transaction should hold, as a job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.details.service import fix_targets
from invoicing.editing import service
from invoicing.editing.schemas import DetailEdit
from invoicing.targets import TargetJob
from proforma.bodies import BulkResult
from proforma.context import Context
from proforma.jobs import Job


async def _edit(session: AsyncSession, context: Context, job: Job, ids: Sequence[UUID]) -> BulkResult:
    fields = DetailEdit.model_validate(job.params["fields"]).changes()
    return await service.edit_many(session, context, UUID(job.params["invoice_id"]), None, dict.fromkeys(ids, fields))


JOBS = (TargetJob(service.EDIT_JOB, fix_targets, _edit),)
