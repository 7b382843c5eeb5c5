"""The main job as its users do it: over HTTP, step by step. Figures come from the caller, never from the product."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.support.product import Product
from tests.support.rows import value
from tests.support.waits import eventually

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Hours:
    """One row of a time sheet."""

    external_id: str
    project: str
    task: str
    resource: str
    role: str
    day: date
    hours: Decimal


def rate_of(role: str) -> Decimal:
    """A rate for each role, with four decimals, so that rounding matters: 80.0000 to 119.9999 an hour."""
    return Decimal(80) + Decimal(sum(role.encode()) * 7919 % 399_999) / 10_000


def totals_of(sheet: Iterable[Hours]) -> dict[str, tuple[int, Decimal, Decimal]]:
    """Project → (entries, hours, Σ round half up(hours × rate)): what each invoice must say."""
    found: dict[str, tuple[int, Decimal, Decimal]] = {}
    for row in sheet:
        count, hours, amount = found.get(row.project, (0, Decimal(0), Decimal(0)))
        line = (row.hours * rate_of(row.role)).quantize(CENT, ROUND_HALF_UP)
        found[row.project] = (count + 1, hours + row.hours, amount + line)
    return found


def as_csv(sheet: Sequence[Hours], encoding: str = "utf-8") -> bytes:
    """The time sheet as time-expense imports it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["external_id", "class", "project", "task", "resource", "role", "date", "quantity"])
    for row in sheet:
        writer.writerow(
            [row.external_id, "time", row.project, row.task, row.resource, row.role, row.day.isoformat(), row.hours]
        )
    return text.getvalue().encode(encoding)


async def make_terms(product: Product, projects: Sequence[str], roles: Sequence[str]) -> dict[str, str]:
    """A customer, price lists with a rate for each role, one active T&M contract a project; contract id → project."""

    async def post(path: str, body: object, role: str = "biller", **request: Any) -> Any:
        return await product.call("billing-backlog", "POST", path, role, json=body, **request)

    customer = await post("/v1/customers", {"name": "Customer"})
    lists = []
    for kind, factor in (("sales", 1), ("cost", 2)):
        rates = [{"class": "time", "role": role, "price": f"{rate_of(role) / factor:.4f}"} for role in roles]
        lists.append(await post("/v1/price-lists", {"name": kind, "kind": kind, "currency": "EUR", "rates": rates}))
    terms = {
        "customer_id": customer["id"], "currency": "EUR", "sales_price_list_ids": [lists[0]["id"]],
        "cost_price_list_id": lists[1]["id"],
    }  # fmt: skip
    contracts = (await post("/v1/contracts", [{"name": project, **terms} for project in projects]))["items"]
    lines = [
        {
            "contract_id": contract["id"], "name": f"{project}: time", "kind": "project", "project": project,
            "billing_method": "time_and_material", "includes": ["time"],
        }
        for project, contract in zip(projects, contracts, strict=True)
    ]  # fmt: skip
    await post("/v1/contract-lines", lines)
    for contract in contracts:
        await post(f"/v1/contracts/{contract['id']}/activate", None, "manager", headers={"If-Match": "*"})
    return {contract["id"]: project for project, contract in zip(projects, contracts, strict=True)}


async def import_approved(product: Product, sheet: bytes, charset: str = "utf-8") -> dict[str, Any]:
    """Imports a time sheet as approved entries; returns the job's result."""
    job = await product.call(
        "time-expense", "POST", "/v1/entries/import", "service", params={"state": "approved"},
        headers={"Content-Type": f"text/csv; charset={charset}"}, content=sheet,
    )  # fmt: skip
    return await product.job("time-expense", job)


async def in_backlog_at_least(product: Product, entries: int, limit_s: float = 120) -> None:
    """Waits until the backlog knows this many entries, or more."""

    async def known() -> bool:
        return bool(await value(product.runtime("billing-backlog"), "select count(*) from entries") >= entries)

    await eventually(known, limit_s)


async def in_backlog(product: Product, entries: int, limit_s: float = 120) -> None:
    """Waits until the backlog knows this many entries; more would be wrong."""
    await in_backlog_at_least(product, entries, limit_s)
    assert await value(product.runtime("billing-backlog"), "select count(*) from entries") == entries


async def mark_ready(product: Product, contracts: Iterable[str]) -> int:
    """Marks everything of the contracts ready; returns how many items were."""
    changed = 0
    for contract_id in contracts:
        body = {"filter": {"contract_id": contract_id}}
        answer = await product.call("billing-backlog", "POST", "/v1/backlog/mark-ready", "biller", json=body)
        if "status" in answer:
            answer = (await product.job("billing-backlog", answer))["result"]
        changed += answer["changed"]
    return changed


async def schedule(product: Product, contracts: Iterable[str], day: date) -> None:
    """A schedule with one row, due on `day` with all work up to it, for each line of these contracts."""
    lines = [
        line
        for contract_id in contracts
        for line in await product.all("billing-backlog", "/v1/contract-lines", contract_id=contract_id)
    ]
    due = [{"run_date": day.isoformat(), "cut_off": day.isoformat()}]
    body = [{"contract_line_id": line["id"], "rows": due} for line in lines]
    await product.call("billing-backlog", "POST", "/v1/invoice-schedules", "manager", json=body)


async def draft(
    product: Product, contracts: Sequence[str], beside: int = 0, limit_s: float = 120
) -> list[dict[str, Any]]:
    """Create-invoice for all of them, in bulk; waits for the drafts, and `beside` others, and returns them."""
    started = await product.call(
        "billing-backlog", "POST", "/v1/contracts/create-invoice", "biller", json={"ids": list(contracts)}
    )
    claimed = (await product.job("billing-backlog", started))["result"]["claimed"]

    async def drafts() -> list[dict[str, Any]] | None:
        found = await product.all("invoicing", "/v1/invoices", status="draft")
        return found if len(found) == claimed + beside else None

    found = await eventually(drafts, limit_s)
    assert found is not None
    return found


async def confirm(product: Product, drafts: Sequence[Mapping[str, Any]], limit_s: float = 120) -> list[dict[str, Any]]:
    """Confirms the drafts with the versions that were seen; waits until the ledger has them; returns the invoices."""
    seen = [{"id": one["id"], "version": one["version"]} for one in drafts]
    answer = await product.call("invoicing", "POST", "/v1/invoices/confirm", "manager", json={"items": seen})
    assert answer == {"changed": len(seen), "unchanged": 0, "refused": []}

    return await posted(product, limit_s)


async def posted(product: Product, limit_s: float = 120) -> list[dict[str, Any]]:
    """Waits until the ledger has every confirmed invoice; returns them."""

    async def all_posted() -> list[dict[str, Any]] | None:
        found = await product.all("invoicing", "/v1/invoices", status="confirmed")
        return found if all(one["posting"] == "posted" for one in found) else None

    found = await eventually(all_posted, limit_s)
    assert found is not None
    return found


async def check_ledger(product: Product) -> dict[str, Any]:
    """The ledger check's result."""
    job = await product.call("billing-backlog", "POST", "/v1/ledger/check", "manager", json={})
    result: dict[str, Any] = (await product.job("billing-backlog", job))["result"]
    return result


async def invoices_are(
    product: Product,
    invoices: Sequence[Mapping[str, Any]],
    contracts: Mapping[str, str],
    sheet: Sequence[Hours],
) -> None:
    """Every invoice says exactly what the time sheet says, and the ledger has no violation."""
    expected = totals_of(sheet)
    said = {contracts[one["contract_id"]]: one for one in invoices}
    assert said.keys() == expected.keys()
    for project, (count, hours, amount) in expected.items():
        invoice = said[project]
        assert (invoice["details"], Decimal(invoice["total"])) == (count, amount), project
        billed = await product.call("billing-backlog", "GET", f"/v1/postings/{invoice['id']}", "manager")
        assert Decimal(billed["posted"]["quantity"]) == hours
        assert Decimal(billed["posted"]["amount"]) == amount
    numbers = sorted(int(one["number"].rpartition("-")[2]) for one in invoices)
    assert numbers == list(range(1, len(invoices) + 1)), "numbers have gaps"
    assert (await check_ledger(product))["violations"] == []
    assert await product.dead_letters() == []
