"""Terms that decide on which days a line is billed: milestones, schedules and the contract's time zone."""

from typing import Any

from tests.flows.firm import Firm


async def fixed_price(firm: Firm, name: str, project: str, amount: str, *parts: tuple[str, str]) -> None:
    """A fixed-price line with milestones of (day, amount), named by their days."""
    await firm.line(
        firm.contract_id, name, project, ["time"], billing_method="fixed_price", contracted_amount=amount
    )  # fmt: skip
    await milestones(firm, name, *parts)


async def milestones(firm: Firm, line: str, *parts: tuple[str, str]) -> None:
    """Milestones of (day, amount) for a line of the firm."""
    body = [
        {"contract_line_id": firm.lines[line], "name": f"{line} {day}", "date": day, "amount": amount}
        for day, amount in parts
    ]
    made = (await firm.backlog("POST", "/v1/milestones", body))["items"]
    firm.milestones |= {one["name"]: one["id"] for one in made}


async def schedule(firm: Firm, line: str, *days: str, **terms: Any) -> None:
    """A schedule on these days, or by what `terms` say."""
    rows = {"rows": [{"run_date": day} for day in days]} if days else {}
    body = {"contract_line_id": firm.lines[line], **rows, **terms}
    await firm.backlog("POST", "/v1/invoice-schedules", body, "manager")


async def in_zone(firm: Firm, contract_id: str, zone: str) -> None:
    """The contract's days begin in `zone` from now on; it has no work yet."""
    await firm.backlog("PATCH", f"/v1/contracts/{contract_id}", {"time_zone": zone}, headers={"If-Match": "*"})
