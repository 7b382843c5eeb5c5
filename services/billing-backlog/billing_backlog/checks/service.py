"""The ledger check: every law over everything, or over one contract, as a job."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.checks.queries import CHECKED, LAWS
from proforma.context import Context
from proforma.db import fetch, fetch_value
from proforma.jobs import Job, Step

VIOLATIONS_MAX = 1_000


class LedgerCheckJob:
    """One law a step. The result: {"checked": rows, "violations": [{"law", "id", "what"}, …]} (1,000 at most)."""

    name = "ledger.check"

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        return len(LAWS)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        contract_id = UUID(job.params["contract_id"]) if job.params.get("contract_id") else None
        at = job.state.get("at", 0)
        violations = list(job.state.get("violations", []))
        if at == len(LAWS):
            checked = await fetch_value(session, CHECKED, contract_id)
            return Step(finished=True, result={"checked": checked, "laws": at, "violations": violations})
        law, sql = list(LAWS.items())[at]
        room = VIOLATIONS_MAX - len(violations)
        rows = await fetch(session, f"{sql} limit $2", contract_id, room)
        violations += [{"law": law, "id": str(row["id"]), "what": row["what"]} for row in rows]
        return Step(done=1, state={"at": at + 1, "violations": violations})


JOBS = (LedgerCheckJob(),)
