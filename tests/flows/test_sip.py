"""The main job on real input: 12,299 rows of a real firm, imported, approved, billed, exact to the cent."""

from decimal import Decimal

import pytest

from tests.conftest import MakeApi, MakeTopics
from tests.flows import main_job, sip
from tests.support.product import together


@pytest.mark.skipif(not sip.TASKS.exists(), reason="the real time sheet is not on this machine")
async def test_ten_years_of_a_real_firm(api: MakeApi, make_topics: MakeTopics) -> None:
    sheet = sip.sheet()
    assert sum(row.hours for row in sheet) == Decimal("95001.98")
    projects = sorted({row.project for row in sheet})
    assert len(projects) == 20
    product = await together(api, make_topics)
    async with product.working():
        contracts = await main_job.make_terms(product, projects, sorted({row.role for row in sheet}))
        imported = await main_job.import_approved(product, main_job.as_csv(sheet, "latin-1"), "latin-1")
        assert imported["result"] == {"created": len(sheet), "updated": 0, "unchanged": 0}
        await main_job.in_backlog(product, len(sheet))
        assert await main_job.mark_ready(product, contracts) == len(sheet)
        drafts = await main_job.draft(product, list(contracts))
        invoices = await main_job.confirm(product, drafts)
        assert len(invoices) == 20
        await main_job.invoices_are(product, invoices, contracts, sheet)
        hours = [
            await product.call("billing-backlog", "GET", f"/v1/postings/{one['id']}", "manager") for one in invoices
        ]
        assert sum(Decimal(one["posted"]["quantity"]) for one in hours) == Decimal("95001.98")
