"""No statement's work grows with the square of what it is given, whatever the server believes of its tables.

A planner that takes two sets of rows for one row each joins each row with each. So it did with a batch of confirmed
details, and so does every planner for a while after a table was filled or emptied (docs/decisions/0037).
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from proforma.db import Database
from tests.conftest import MakeApi, MakeTopics
from tests.flows import main_job
from tests.flows.main_job import Hours
from tests.support.databases import Databases
from tests.support.plans import Ran, watched
from tests.support.product import SERVICES, Product, together
from tests.support.rows import value
from tests.support.waits import eventually

ENTRIES = 2_000
LOOKED_AT_MAX = 200 * ENTRIES
"""Up to 100 rows of each entry are what the busiest statements look at; the square of one batch is a million."""

BELIEFS = ("never looked at", "emptied")
"""What the servers believe of their tables; `emptied` of those that are emptied, day by day."""

TABLES = """
select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
"""
EMPTIED = """
update pg_class set relpages = 1000, reltuples = 0
where relname in ('items', 'outbox', 'inbox', 'idempotency_keys', 'job_targets', 'upload_pieces')
"""

Believing = Callable[[str], Awaitable[Product]]


def _sheet(numbers: range = range(ENTRIES), project: str = "P", projects: int = 2) -> list[Hours]:
    days = [date(2026, 1, 1) + timedelta(n) for n in range(50)]
    return [
        Hours(
            f"e{n}",
            f"{project}{n % projects}",
            f"T{n % 7}",
            f"R{n % 11}",
            f"r{n % 3}",
            days[n % 50],
            Decimal(n % 8 + 1),
        )
        for n in numbers
    ]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Ran]]:
    """Every statement of the product, as it runs; at the end, those that looked at too much fail the test."""
    statements: list[Ran] = []
    monkeypatch.setattr(Database, "connection_class", watched(statements))
    yield statements
    worst = {one.sql: one.rows for one in sorted(statements, key=lambda one: one.rows)}
    assert {sql: rows for sql, rows in worst.items() if rows > LOOKED_AT_MAX} == {}


@pytest.fixture
def believing(api: MakeApi, make_topics: MakeTopics, databases: Databases) -> Believing:
    """The product on servers that believe this, and do not look again."""

    async def make(belief: str) -> Product:
        # Of another kind than all other tests' connections, which are kept and would not be watched.
        product = await together(api, make_topics, statement_timeout_s=59)
        for service in SERVICES:
            superuser = await databases.superuser(product.runtime(service).settings.database_url.rpartition("/")[2])
            for table in await superuser.fetch(TABLES):
                await superuser.execute(f"alter table {table['name']} set (autovacuum_enabled = false)")
            if belief == "emptied":
                await superuser.execute(EMPTIED)
            await superuser.close()
        return product

    return make


async def _approved(product: Product, sheet: list[Hours]) -> dict[str, str]:
    """Approved work of two contracts, ready; contract id → project."""
    projects, roles = sorted({row.project for row in sheet}), sorted({row.role for row in sheet})
    contracts = await main_job.make_terms(product, projects, roles)
    before = await value(product.runtime("billing-backlog"), "select count(*) from entries")
    await main_job.import_approved(product, main_job.as_csv(sheet))
    await main_job.in_backlog(product, before + len(sheet))
    assert await main_job.mark_ready(product, contracts) == len(sheet)
    return contracts


@pytest.mark.parametrize("belief", BELIEFS)
async def test_whatever_the_server_believes(believing: Believing, ran: list[Ran], belief: str) -> None:
    product = await believing(belief)
    async with product.working():
        await _second_thoughts(product, _sheet())
        assert (await main_job.check_ledger(product))["violations"] == []
        assert await product.dead_letters() == []
    assert len(ran) > ENTRIES / 100


async def test_a_small_job_beside_a_large_ledger(
    api: MakeApi, make_topics: MakeTopics, databases: Databases, ran: list[Ran]
) -> None:
    """Where the server knows its tables, what is done to a few entries reads of a few entries."""
    product = await together(api, make_topics, statement_timeout_s=59)
    async with product.working():
        contracts = await _approved(product, _sheet(projects=100))
        await main_job.confirm(product, await main_job.draft(product, list(contracts)))
        for service in SERVICES:
            superuser = await databases.superuser(product.runtime(service).settings.database_url.rpartition("/")[2])
            await superuser.execute("analyze")
            await superuser.close()
        ran.clear()
        await _second_thoughts(product, _sheet(range(ENTRIES, ENTRIES + 10), "Q"))
    # What is given nothing is this test's own: how many there are by now.
    assert {one.sql: one.rows for one in ran if one.rows >= ENTRIES and "$1" in one.sql} == {}


async def _second_thoughts(product: Product, sheet: list[Hours]) -> None:
    """Details split, invoices taken back in full, work at another price and for nothing, approvals cancelled."""
    contracts = await _approved(product, sheet)
    drafts = await main_job.draft(product, list(contracts))
    for draft, remainder in zip(drafts, ("return", "write_off"), strict=True):
        edit = {"filter": {}, "quantity": "0.5", "remainder": remainder}
        await _many(product, "invoicing", f"/v1/invoices/{draft['id']}/details/update", edit, version=draft["version"])
    drafts = await product.all("invoicing", "/v1/invoices", status="draft")
    mine = {one["id"] for one in drafts}
    for one in await main_job.confirm(product, drafts):
        if one["id"] in mine:
            await product.call(
                "invoicing", "POST", f"/v1/invoices/{one['id']}/void", "manager",
                json={"reason": "wrong"}, headers={"If-Match": str(one["version"])},
            )  # fmt: skip
    await main_job.posted(product)
    await _at_another_price(product, contracts)
    for contract_id in contracts:
        body = {"filter": {"contract_id": contract_id}, "billing_type": "complimentary"}
        await _many(product, "billing-backlog", "/v1/backlog/set-billing-type", body)
    for project in contracts.values():
        cancel = {"filter": {"status": "approved", "project": project}, "reason": "all of it"}
        await _many(product, "time-expense", "/v1/entries/cancel-approval", cancel, role="approver")
    await eventually(lambda: _none_approved(product, list(contracts.values())), 120)
    assert await product.all("billing-backlog", "/v1/backlog", contract_id=next(iter(contracts))) == []


async def _at_another_price(product: Product, contracts: Mapping[str, str]) -> None:
    contract = await product.call("billing-backlog", "GET", f"/v1/contracts/{next(iter(contracts))}", "manager")
    path = f"/v1/price-lists/{contract['sales_price_list_ids'][0]}"
    sales = await product.call("billing-backlog", "GET", path, "manager")
    rates = [{**_sent(rate), "price": "99.0000"} for rate in sales["rates"]]
    await product.call(
        "billing-backlog", "PATCH", path, "manager", json={"rates": rates}, headers={"If-Match": "*"}
    )  # fmt: skip
    await _many(product, "billing-backlog", "/v1/contracts/re-evaluate", {"ids": list(contracts)})


def _sent(rate: Mapping[str, Any]) -> dict[str, Any]:
    return {"class": rate["class"], "role": rate["role"]}


async def _many(product: Product, service: str, path: str, body: Mapping[str, Any], **how: Any) -> None:
    """A bulk verb, and the end of its job where it is one."""
    headers = {"If-Match": str(how["version"])} if "version" in how else {}
    answer = await product.call(service, "POST", path, how.get("role", "manager"), json=body, headers=headers)
    if "kind" in answer:
        await product.job(service, answer)


async def _none_approved(product: Product, projects: list[str]) -> bool:
    sql = "select count(*) from entries where project = any($1) and status <> 'submitted'"
    return bool(await value(product.runtime("time-expense"), sql, projects) == 0)
