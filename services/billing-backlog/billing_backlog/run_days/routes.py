"""HTTP of run days: what each day's runs came to."""

import datetime
from typing import Annotated

from fastapi import Query

from billing_backlog.run_days import queries
from billing_backlog.run_days.schemas import RunDayFilter, RunDayOut, RunDayQuery
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Page
from proforma.http import Tx, router

_READERS = role(*(ROLES - {"submitter"}))

routes = router("/v1/invoice-run-days", "invoice runs")


@routes.get("", dependencies=[_READERS])
async def list_run_days(query: Annotated[RunDayQuery, Query()], session: Tx) -> Page[RunDayOut]:
    """The days on which something ran, the newest first, each with its totals. The runs themselves:
    `/v1/invoice-runs?run_date=`."""
    page, following = pages.cut(await queries.page(session, query), query.limit, lambda day: day.date)
    return Page(items=page, next=following)


@routes.get("/{date}", dependencies=[_READERS])
async def show_run_day(date: datetime.date, query: Annotated[RunDayFilter, Query()], session: Tx) -> RunDayOut:
    """One day with its totals; a day on which nothing ran has zeros."""
    (found,) = await queries.shown(session, query, [date])
    return found
