"""The job that applies an upload."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.jobs import Job, JobProblem, Step
from time_expense.imports import service
from time_expense.imports.rules import Problem, Row
from time_expense.imports.schemas import columns_of, named_by, row_of, why
from time_expense.uploads import queries as uploads
from time_expense.uploads.rules import WINDOW_BYTES, Place, Record, Unreadable, read

_COUNTS = ("created", "updated", "unchanged")


class Import:
    """Reads the next rows of the upload and applies them, in one transaction with its place in the upload.

    So a worker that is killed loses at most a step, and another one goes on behind the last row that took effect.
    """

    name = service.KIND

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        """The rows at most: lines, without the one that names the columns. The last step knows exactly."""
        lines: int = job.params["lines"]
        return lines - 1 if job.params["form"] == "csv" else lines

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        """Up to a thousand rows. Raises BrokenRule when a CSV's first line does not name our columns."""
        state: dict[str, Any] = {"place": [0, 1, False], "columns": None, **dict.fromkeys(_COUNTS, 0), **job.state}
        place = Place(*state["place"])
        window = await uploads.window(session, job.id, place.at, WINDOW_BYTES)
        records, place = read(
            window, place, last=place.at + len(window) >= job.params["bytes"],
            form=job.params["form"], charset=job.params["charset"], most=context.limits.job_step_max,
        )  # fmt: skip
        if job.params["form"] == "csv" and state["columns"] is None and records:
            state["columns"] = _columns(records.pop(0))
        rows, problems = _rows(records, state["columns"] or [])
        applied = await service.apply(session, context, job.params["state"], rows)
        state["place"] = [place.at, place.line, place.skip]
        for name in _COUNTS:
            state[name] += getattr(applied, name)
        finished = place.at >= job.params["bytes"]
        return Step(
            done=len(records),
            problems=[_problem(one) for one in sorted([*problems, *applied.problems], key=lambda one: one.line)],
            state=state,
            finished=finished,
            result={name: state[name] for name in _COUNTS} if finished else None,
            total=job.done + len(records) if finished else None,
        )


def _columns(first: Record | Unreadable) -> list[str]:
    return columns_of(list(first.content) if isinstance(first, Record) else [])


def _rows(records: Sequence[Record | Unreadable], columns: list[str]) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    for record in records:
        if isinstance(record, Unreadable):
            problems.append(Problem(record.line, None, "validation", record.detail))
            continue
        try:
            rows.append(row_of(record.line, columns, record.content))
        except ValueError as error:
            named = named_by(columns, record.content)
            problems.append(Problem(record.line, named, "validation", why(error)))
    return rows, problems


def _problem(one: Problem) -> JobProblem:
    return JobProblem(one.reason, one.detail, row=one.line, external_id=one.external_id)


JOBS = [Import()]
