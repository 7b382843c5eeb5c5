"""The main job in portions, on a stack that is hit meanwhile; at the end, the totals of the time sheet to the cent."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.compose.remote import Remote
from tests.compose.strikes import Strike, Striker
from tests.flows import main_job
from tests.flows.main_job import Hours
from tests.support.waits import eventually

LIMIT_S = 400

Tell = Callable[[str], None]


async def play(remote: Remote, sheet: Sequence[Hours], striker: Striker, blows: Sequence[Strike], tell: Tell) -> None:
    """Every project goes from its time sheet to its confirmed invoice; each portion of them under its share of blows.

    A portion and its blows begin together and the next begins when both are over, so that no blow falls on idle
    containers.
    """
    projects = sorted({row.project for row in sheet})
    contracts = await main_job.make_terms(remote, projects, sorted({row.role for row in sheet}))
    portions = split(projects, min(len(projects), len(blows)))
    for number, portion in enumerate(portions):
        share = blows[number :: len(portions)]
        rows = [row for row in sheet if row.project in portion]
        mine = [contract for contract, project in contracts.items() if project in portion]
        async with asyncio.TaskGroup() as both:
            both.create_task(striker.deal(share))
            both.create_task(_bill(remote, rows, mine))
        hit = ", ".join(f"{one.how} {one.service}" for one in share)
        tell(f"{len(rows):6,} rows of {', '.join(portion)} billed meanwhile: {hit}")
    invoices = await _posted(remote, len(projects))
    await main_job.invoices_are(remote, invoices, contracts, sheet)


def split(projects: Sequence[str], portions: int) -> list[Sequence[str]]:
    """The projects in this many portions, as equal as can be."""
    return [projects[number::portions] for number in range(portions)]


async def _bill(remote: Remote, rows: Sequence[Hours], contracts: Sequence[str]) -> None:
    imported = await main_job.import_approved(remote, main_job.as_csv(rows))
    assert imported["result"] == {"created": len(rows), "updated": 0, "unchanged": 0}
    ready = 0

    async def all_ready() -> bool:
        nonlocal ready
        ready += await main_job.mark_ready(remote, contracts)
        await asyncio.sleep(0.5)
        return ready >= len(rows)

    await eventually(all_ready, LIMIT_S)
    assert ready == len(rows)
    drafts = await main_job.draft(remote, contracts, limit_s=LIMIT_S)
    await main_job.confirm(remote, drafts, LIMIT_S)


async def _posted(remote: Remote, count: int) -> list[dict[str, Any]]:
    found = await remote.all("invoicing", "/v1/invoices", status="confirmed")
    assert len(found) == count
    assert {one["posting"] for one in found} == {"posted"}
    return found


def repeated(remote: Remote) -> str:
    """How often a call was sent again, by what was said the time before."""
    counts = Counter(one.partition(": ")[2].split("(")[0].split()[0] for one in remote.repeated)
    return ", ".join(f"{count} × {said}" for said, count in counts.most_common()) or "none"
