"""Every event of the main job delivered again: not a row changes."""

import asyncio
import random

from proforma.clock import new_id
from proforma.envelope import Record
from tests.conftest import MakeApi, MakeTopics
from tests.faults.sheets import PROJECTS, ROLES, sheet
from tests.flows import main_job
from tests.support.kafka import Broker
from tests.support.product import SERVICES, Product, together
from tests.support.rows import change, rows


async def _play(product: Product, entries: int) -> None:
    hours = sheet(entries)
    contracts = await main_job.make_terms(product, PROJECTS, ROLES)
    await main_job.import_approved(product, main_job.as_csv(hours))
    await main_job.in_backlog(product, entries)
    await main_job.mark_ready(product, contracts)
    drafts = await main_job.draft(product, list(contracts))
    discarded, *rest = sorted(drafts, key=lambda one: str(one["id"]))
    detail = (await product.all("invoicing", f"/v1/invoices/{rest[0]['id']}/details"))[0]
    await product.call(
        "invoicing",
        "DELETE",
        f"/v1/invoices/{rest[0]['id']}/details/{detail['id']}",
        "biller",
        headers={"If-Match": "*"},
    )
    await product.call(
        "invoicing", "POST", f"/v1/invoices/{discarded['id']}/discard", "biller", headers={"If-Match": "*"}, json={}
    )
    await main_job.confirm(product, await product.all("invoicing", "/v1/invoices", status="draft"))
    await product.quiet()
    assert (await main_job.check_ledger(product))["violations"] == []


async def test_every_event_twice_changes_nothing(api: MakeApi, make_topics: MakeTopics, broker: Broker) -> None:
    product = await together(api, make_topics)
    async with asyncio.timeout(240), product.working():
        await _play(product, 400)
        before = await product.snapshot()
        # The relay sends all of it again, as after a crash between sending and marking.
        for name in SERVICES:
            await change(product.runtime(name), "update outbox set published = false")
        await product.quiet()
        assert await product.snapshot() == before
        # And somebody plays the log again, out of order, under ids that no inbox knows.
        records = [record for name in SERVICES for record in await _said(product, name)]
        random.Random(3).shuffle(records)
        await broker.send(*records)
        await product.quiet()
        assert await product.snapshot() == before
        assert await product.dead_letters() == []
        assert (await main_job.check_ledger(product))["violations"] == []


async def _said(product: Product, service: str) -> list[Record]:
    """Everything that a service has ever said, as records under new ids."""
    said = await rows(product.runtime(service), "select topic, type, key, body from outbox order by id")
    return [
        Record(
            one["topic"], 0, 0, one["key"].encode(),
            [("ce_id", str(new_id()).encode()), ("ce_type", one["type"].encode())], one["body"].encode(),
        )
        for one in said
    ]  # fmt: skip
