"""The calendar as it goes by: a driven clock, set day after day where a contract is, and what each day makes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from proforma.clock import SetClock
from scheduler.triggers.service import CHANNEL
from tests.flows.firm import Firm, numbers
from tests.support.rows import change
from tests.support.waits import eventually

JUST_BEFORE = timedelta(seconds=-1)


def midnight(day: date, zone: str = "UTC") -> datetime:
    """When `day` begins in `zone`, where clocks skip no midnight."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


@dataclass
class Calendar:
    """Sets the clock of all services; what is due then is published when a call returns."""

    firm: Firm
    clock: SetClock

    async def known(self) -> None:
        """Waits until the scheduler has every row that is to run, and no other."""

        async def same() -> bool:
            planned = sorted(row["id"] for row in await self._rows() if row["status"] == "not_run")
            upcoming = await self.firm.product.all("scheduler", "/v1/triggers", status="upcoming")
            return planned == sorted(one["row_id"] for one in upcoming)

        await eventually(same)

    async def at(self, instant: datetime) -> None:
        """It is `instant` now, and the scheduler owes nothing any more."""
        self.clock.set(instant)
        # The loop sleeps until a real clock would have come this far; the driven one has to say so.
        await change(self.firm.product.runtime("scheduler"), f"notify {CHANNEL}")

        async def owes_nothing() -> bool:
            days = {instant.date() + timedelta(days=n) for n in (-1, 0, 1)}
            return not any([(await self._day(day))["owed"] for day in days])

        await eventually(owes_nothing, 60)

    async def nothing_until(self, day: date) -> None:
        """Each day between now and `day` triggers nothing and makes no invoice; then it is `day`, and its turn."""
        before = await self._made()
        between = self.clock.now().date() + timedelta(days=1)
        while between < day:
            await self.at(midnight(between))
            assert await self._made() == before, between
            between += timedelta(days=1)
        await self.at(midnight(day))

    async def _made(self) -> list[Any]:
        invoices = await self.firm.product.all("invoicing", "/v1/invoices")
        return [*await self.published(), *sorted(one["id"] for one in invoices)]

    async def _day(self, day: date) -> dict[str, Any]:
        found: dict[str, Any] = await self.firm.product.call("scheduler", "GET", f"/v1/days/{day}", "manager")
        return found

    async def published(self) -> list[tuple[str, str, str]]:
        """Every trigger that was published, as (run date, line, instant), sorted."""
        found = await self.firm.product.all("scheduler", "/v1/triggers", status="published")
        names = {line_id: name for name, line_id in self.firm.lines.items()}
        return sorted((one["run_date"], names[one["contract_line_id"]], one["published_at"]) for one in found)

    async def runs(self, contract_id: str, day: date) -> list[dict[str, Any]]:
        """The scheduled runs of a contract's date."""
        query = {"kind": "scheduled", "contract_id": contract_id, "run_date": day.isoformat()}
        return await self.firm.product.all("billing-backlog", "/v1/invoice-runs", **query)

    async def ran(self, contract_id: str, day: date) -> dict[str, Any]:
        """The only run of a contract's date, when all its due rows have run and all it claimed is on drafts."""

        async def settled() -> bool:
            left = [row for row in await self._rows(contract_id=contract_id) if row["run_date"] == day.isoformat()]
            claims = [claim for run in await self.runs(contract_id, day) for claim in run["claims"]]
            return all(row["status"] != "not_run" for row in left) and all(claim["drafted"] for claim in claims)

        await eventually(settled, 60)
        (run,) = await self.runs(contract_id, day)
        return run

    async def draft(self, contract_id: str, day: date) -> dict[str, Any]:
        """The only draft of a contract's date, whole."""
        draft = await self.firm.open_draft((await self.ran(contract_id, day))["id"])
        assert (draft["contract_id"], draft["invoice_date"]) == (contract_id, day.isoformat())
        return draft

    async def lines(self, invoice_id: str) -> dict[str, list[Any]]:
        """Of an invoice's lines those with details: name → [details, total]."""
        found = await self.firm.product.all("invoicing", f"/v1/invoices/{invoice_id}/lines")
        return {one["name"]: numbers(one, "details", "total") for one in found if one["details"]}

    async def row(self, line: str, day: date) -> str:
        """What became of a line's row."""
        rows = await self._rows(contract_line_id=self.firm.lines[line])
        (status,) = [row["status"] for row in rows if row["run_date"] == day.isoformat()]
        return str(status)

    async def _rows(self, **query: str) -> list[dict[str, Any]]:
        found = await self.firm.product.all("billing-backlog", "/v1/invoice-schedules", **query)
        shown = [await self.firm.backlog("GET", f"/v1/invoice-schedules/{one['id']}") for one in found]
        return [row for one in shown for row in one["rows"]]
