"""Bulk calls over more entries than one transaction should hold, as jobs."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.jobs import Job, JobProblem, Step
from time_expense.approvals import queries, service
from time_expense.approvals.rules import MOVES, Override, Verb
from time_expense.entries.schemas import EntryFilter


class BulkMove:
    """Moves the entries that a filter found when the job began, as its caller: up to 1,000 a step."""

    def __init__(self, verb: Verb) -> None:
        self.name = service.job_name(verb)
        self._verb = verb

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        """Fixes the targets: entries that match the filter later are not this job's."""
        wanted = EntryFilter.model_validate(job.params["filter"])
        return await queries.fix_targets(session, job.id, wanted, service.reach(context, self._verb))

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        """The next targets, in the order of their ids."""
        state = {"n": 0, "changed": 0, "unchanged": 0, "refused": 0, **job.state}
        targets = await queries.next_targets(session, job.id, state["n"], context.limits.job_step_max)
        if not targets:
            return Step(state=state, finished=True, result=_result(state))
        did = await service.move_many(session, context, self._action(job), [row["target_id"] for row in targets])
        state = {
            "n": targets[-1]["n"],
            "changed": state["changed"] + did.changed,
            "unchanged": state["unchanged"] + did.unchanged,
            "refused": state["refused"] + len(did.refused),
        }
        problems = [JobProblem(one.reason, one.detail, target_id=one.id) for one in did.refused]
        finished = state["n"] == job.total
        return Step(len(targets), problems, state, finished, _result(state) if finished else None)

    def _action(self, job: Job) -> service.Action:
        billable = job.params["billable_quantity"]
        override = Override(None if billable is None else Decimal(billable), job.params["billing_type"])
        return service.Action(self._verb, job.params["reason"], override)


def _result(state: Mapping[str, Any]) -> dict[str, int]:
    return {name: state[name] for name in ("changed", "unchanged", "refused")}


JOBS = [BulkMove(verb) for verb in MOVES]
