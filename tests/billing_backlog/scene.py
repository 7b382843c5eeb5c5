"""A small firm for tests: a customer, price lists, a contract with a line, and entries to approve."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_backlog.backlog.service import READY, move
from billing_backlog.checks.queries import LAWS
from billing_backlog.checks.service import VIOLATIONS_MAX, broken
from billing_backlog.runs.schemas import CreateInvoiceIn, RunOut
from billing_backlog.runs.service import create_invoice
from billing_backlog.worker import HANDLERS
from proforma.clock import derived_id
from proforma.db import execute, fetch
from proforma.events.billing_backlog import ClaimedItem, ControlTotals, ItemsClaimed
from proforma.events.invoicing import ConfirmedDetail, DetailFigures, InvoiceConfirmed
from proforma.events.time_expense import ApprovedEntry, EntriesApproved
from proforma.runtime import Runtime
from tests.support.events import deliver, outbox_of

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
CUSTOMER, CONTRACT, LINE = (UUID(int=n) for n in (1, 2, 3))
SALES, COST = UUID(int=4), UUID(int=5)
PROJECT = "P1"


@dataclass(frozen=True)
class Terms:
    """What the firm's contract says."""

    sales_price: str = "200"
    cost_price: str = "100"
    currency: str = "EUR"
    includes: tuple[str, ...] = ("time",)
    tasks: tuple[str, ...] | None = None


async def firm(runtime: Runtime, terms: Terms | None = None) -> None:
    """One active contract for project P1; role `dev` costs 100 and sells for 200 an hour."""
    terms = terms or Terms()
    async with runtime.database.transaction() as session:
        await execute(
            session,
            "insert into customers (id, name, version, created_at, created_by, updated_at)"
            " values ($1, 'Acme', 1, $2, 't', $2)",
            CUSTOMER,
            AT,
        )
        for list_id, kind, price in ((SALES, "sales", terms.sales_price), (COST, "cost", terms.cost_price)):
            await execute(
                session,
                "insert into price_lists (id, name, kind, currency, version, created_at, created_by, updated_at)"
                " values ($1, $2, $2, $3, 1, $4, 't', $4)",
                list_id, kind, terms.currency, AT,
            )  # fmt: skip
            await execute(
                session,
                "insert into rates (id, price_list_id, class, role, unit, method, price, created_at)"
                " values ($1, $2, 'time', 'dev', 'hour', 'per_unit', $3, $4)",
                derived_id(kind), list_id, Decimal(price), AT,
            )  # fmt: skip
    await contract(runtime, CONTRACT, {LINE: PROJECT}, terms)


async def contract(runtime: Runtime, contract_id: UUID, lines: dict[UUID, str], terms: Terms | None = None) -> None:
    """Another active contract of the firm, with a line for each project."""
    terms = terms or Terms()
    async with runtime.database.transaction() as session:
        await execute(
            session,
            "insert into contracts (id, name, customer_id, currency, sales_price_list_ids, cost_price_list_id,"
            " time_zone, status, version, created_at, created_by, updated_at)"
            " values ($1, 'Contract', $2, $3, $4, $5, 'UTC', 'active', 1, $6, 't', $6)",
            contract_id, CUSTOMER, terms.currency, [SALES], COST, AT,
        )  # fmt: skip
        for line_id, project in lines.items():
            await execute(
                session,
                "insert into contract_lines (id, contract_id, name, kind, billing_method, project, tasks, includes,"
                " version, created_at, created_by, updated_at)"
                " values ($1, $2, 'Line', 'project', 'time_and_material', $3, $4, $5, 1, $6, 't', $6)",
                line_id, contract_id, project, list(terms.tasks) if terms.tasks else None, list(terms.includes), AT,
            )  # fmt: skip


def entry(n: int = 1, **changes: Any) -> ApprovedEntry:
    """Entry number `n`: 8 hours of `dev` on P1 on 2 February 2026, all billable, unless said otherwise."""
    given = {
        "id": derived_id("entry", n), "revision": 1, "class": "time", "project": PROJECT, "resource": "ann",
        "role": "dev", "date": date(2026, 2, 2), "quantity": "8", "unit": "hour", "approved_by": "boss",
        "approved_at": AT, **changes,
    }  # fmt: skip
    return ApprovedEntry.model_validate({"billable_quantity": given["quantity"], **given})


async def approve(runtime: Runtime, *entries: ApprovedEntry) -> None:
    """Delivers an approval, as it comes by Kafka."""
    await deliver(runtime, HANDLERS, EntriesApproved(entries=list(entries)))


async def rows(runtime: Runtime, sql: str, *args: Any) -> list[dict[str, Any]]:
    """Rows of a statement, for looking."""
    async with runtime.database.transaction() as session:
        return [dict(row) for row in await fetch(session, sql, *args)]


async def items(runtime: Runtime) -> list[dict[str, Any]]:
    """All open items, by date and quantity."""
    return await rows(runtime, "select * from items order by date, quantity desc, id")


async def violations(runtime: Runtime) -> list[dict[str, Any]]:
    """What the ledger check finds, run here and now."""
    found: list[dict[str, Any]] = []
    async with runtime.database.transaction() as session:
        for law in LAWS:
            found += [{"law": law, **row} for row in await broken(session, law, None, VIOLATIONS_MAX)]
    return found


async def claimed(runtime: Runtime) -> list[ItemsClaimed]:
    """Every chunk that was claimed, as invoicing reads it."""
    return [
        ItemsClaimed.model_validate(sent.body) for sent in await outbox_of(runtime) if sent.type == ItemsClaimed.TYPE
    ]


def confirmation(
    chunks: list[ItemsClaimed], *, per_chunk: int = 500, number: str = "PF-2026-000001"
) -> list[InvoiceConfirmed]:
    """What invoicing says when the draft of these chunks is confirmed unchanged; the invoice has the claim's id."""
    details = [_detail(chunk.claim.id, item) for chunk in chunks for item in chunk.items]
    totals = ControlTotals(
        count=len(details),
        quantity=sum((one.now.quantity for one in details), Decimal(0)),
        amount=sum((one.now.amount for one in details), Decimal(0)),
        tax=sum((one.now.tax for one in details), Decimal(0)),
    )
    claim = chunks[0].claim
    parts = [details[at : at + per_chunk] for at in range(0, len(details), per_chunk)]
    header = {
        "invoice_id": claim.id, "number": number, "kind": "invoice", "contract_id": claim.contract_id,
        "customer_id": claim.customer.id, "run_id": claim.run_id, "currency": claim.currency,
        "invoice_date": claim.run_date, "accounting_date": date(2026, 3, 3), "confirmed_by": "boss",
        "confirmed_at": AT, "totals": totals, "chunks": len(parts),
    }  # fmt: skip
    return [InvoiceConfirmed.model_validate({**header, "details": part, "chunk": n}) for n, part in enumerate(parts, 1)]


def _detail(claim_id: UUID, item: ClaimedItem) -> ConfirmedDetail:
    figures = DetailFigures(
        quantity=item.quantity, price=item.price, amount=item.amount, tax=item.tax, billing_type=item.billing_type
    )
    return ConfirmedDetail.model_validate(
        {
            "detail_id": derived_id("detail", item.id, claim_id), "item_id": item.id, "claim_id": claim_id,
            "source": item.source, "class": item.item_class, "contract_line_id": item.contract_line_id,
            "was": figures, "now": figures,
        }
    )  # fmt: skip


async def ready(runtime: Runtime, *ns: int, **changes: Any) -> None:
    """Entries with these numbers, approved and marked ready."""
    await approve(runtime, *(entry(n, **changes) for n in ns))
    await all_ready(runtime)


async def all_ready(runtime: Runtime) -> None:
    """Everything that is unbilled is marked ready."""
    async with runtime.database.transaction() as session:
        ids = [row["id"] for row in await fetch(session, "select id from items where billing_status = 'unbilled'")]
        await move(session, runtime.context(), ids, READY)


async def run(runtime: Runtime, contract_id: UUID = CONTRACT, **body: Any) -> RunOut:
    """A manual run of the contract."""
    async with runtime.database.transaction() as session:
        return await create_invoice(session, runtime.context(), contract_id, CreateInvoiceIn(**body))
