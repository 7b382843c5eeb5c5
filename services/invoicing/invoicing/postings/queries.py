"""SQL of postings."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.invoices.rules import Posting
from proforma.context import Context
from proforma.db import execute

SET = """
update invoices i set posting = p.posting, posting_reason = p.reason, version = i.version + 1, updated_at = $4
from unnest($1::uuid[], $2::text[], $3::text[]) p (id, posting, reason) where i.id = p.id
"""


async def set_postings(
    session: AsyncSession, context: Context, postings: Mapping[UUID, tuple[Posting, str | None]]
) -> None:
    """Sets posting and its reason of locked invoices."""
    await execute(
        session,
        SET,
        list(postings),
        [posting for posting, _ in postings.values()],
        [reason for _, reason in postings.values()],
        context.clock.now(),
    )
