"""The ledger check: every law over everything, or over one contract, as a job."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.checks.queries import CHECKED, LAWS, PATIENCE, WHOLE
from proforma.context import Context
from proforma.db import execute, fetch, fetch_value
from proforma.jobs import Job, Step

VIOLATIONS_MAX = 1_000


async def broken(session: AsyncSession, law: str, contract_id: UUID | None, limit: int) -> list[dict[str, str]]:
    """What breaks the law of this name, everywhere or in one contract: {"id", "what"} of each row, `limit` at most."""
    if contract_id is None:
        await execute(session, WHOLE)
    rows = await fetch(session, f"{LAWS[law]} limit $2", contract_id, limit)
    return [{"id": str(row["id"]), "what": row["what"]} for row in rows]


class LedgerCheckJob:
    """One law a step. The result: {"checked": rows, "violations": [{"law", "id", "what"}, …]} (1,000 at most)."""

    name = "ledger.check"

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        return len(LAWS)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        contract_id = UUID(job.params["contract_id"]) if job.params.get("contract_id") else None
        at = job.state.get("at", 0)
        violations = list(job.state.get("violations", []))
        await execute(session, PATIENCE)
        if at == len(LAWS):
            checked = await fetch_value(session, CHECKED, contract_id)
            return Step(finished=True, result={"checked": checked, "laws": at, "violations": violations})
        law = list(LAWS)[at]
        room = VIOLATIONS_MAX - len(violations)
        violations += [{"law": law, **found} for found in await broken(session, law, contract_id, room)]
        return Step(done=1, state={"at": at + 1, "violations": violations})


JOBS = (LedgerCheckJob(),)
