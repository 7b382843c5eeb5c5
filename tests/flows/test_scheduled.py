"""A scheduled day: one trigger for each line, lines of a contract with the same date share a draft."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from proforma.clock import SetClock
from scheduler.triggers.service import CHANNEL
from tests.conftest import MakeApi, MakeTopics
from tests.flows import main_job
from tests.flows.main_job import Hours
from tests.support.product import Product, together
from tests.support.rows import change, rows
from tests.support.waits import eventually

SHEET = [
    Hours(f"r{n}", project, "T", "ann", "dev", date(2026, 2, day), Decimal(8))
    for n, (project, day) in enumerate([("P1", 1), ("P1", 20), ("P2", 2), ("P2", 27)])
]


async def _two_scheduled_lines(product: Product) -> dict[str, str]:
    """One contract with a line for P1 and one for P2, both due on 3 March and 1 April."""
    contracts = await main_job.make_terms(product, ["P1"], ["dev"])
    (contract_id,) = contracts

    async def post(path: str, body: object) -> Any:
        return await product.call("billing-backlog", "POST", path, "manager", json=body)

    await post(
        "/v1/contract-lines",
        {"contract_id": contract_id, "name": "second", "kind": "project", "project": "P2",
         "billing_method": "time_and_material", "includes": ["time"]},
    )  # fmt: skip
    for line in await product.all("billing-backlog", "/v1/contract-lines", contract_id=contract_id):
        due = [{"run_date": "2026-03-03", "cut_off": "2026-02-25"}, {"run_date": "2026-04-01"}]
        await post("/v1/invoice-schedules", {"contract_line_id": line["id"], "rows": due})
    return contracts


async def test_two_lines_of_one_date_share_a_draft(api: MakeApi, make_topics: MakeTopics, clock: SetClock) -> None:
    product = await together(api, make_topics)
    async with product.working():
        contracts = await _two_scheduled_lines(product)
        await main_job.import_approved(product, main_job.as_csv(SHEET))
        await main_job.in_backlog(product, len(SHEET))
        await main_job.mark_ready(product, contracts)
        await product.quiet()
        assert await product.all("invoicing", "/v1/invoices") == [], "the date has not come yet"
        assert await product.all("scheduler", "/v1/triggers", status="published") == []
        clock.set(datetime(2026, 3, 3, 0, 0, 1, tzinfo=UTC))
        # The loop sleeps until a real clock would have come this far; the driven one has to say so.
        await change(product.runtime("scheduler"), f"notify {CHANNEL}")

        async def drafted() -> bool:
            return [one["details"] for one in await product.all("invoicing", "/v1/invoices", status="draft")] == [3]

        await eventually(drafted, 90)
        await product.quiet()
        await _is_billed_once(product)


async def _is_billed_once(product: Product) -> None:
    (draft,) = await product.all("invoicing", "/v1/invoices", status="draft")
    assert draft["invoice_date"] == "2026-03-03"
    assert len(await product.all("invoicing", f"/v1/invoices/{draft['id']}/lines")) == 2
    (run,) = await product.all("billing-backlog", "/v1/invoice-runs", kind="scheduled")
    assert run["run_date"] == "2026-03-03"
    assert sorted(len(line["left_out"]) for line in run["lines"]) == [0, 1]
    assert {"after_cut_off": 1} in [line["left_out"] for line in run["lines"]]
    assert len(await product.all("scheduler", "/v1/triggers", status="published")) == 2
    due_rows = await rows(product.runtime("billing-backlog"), "select status from schedule_rows order by run_date")
    assert [row["status"] for row in due_rows] == ["successful", "successful", "not_run", "not_run"]
    (invoice,) = await main_job.confirm(product, [draft])
    assert invoice["number"] == "PF-2026-000001"
    assert (await main_job.check_ledger(product))["violations"] == []
    assert await product.dead_letters() == []
