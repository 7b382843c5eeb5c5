"""The main job over SASL and TLS, each service with the rights that docs/kafka.md lists, and no others."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from proforma.clock import SystemClock
from proforma.kafka.topics import create_topics
from proforma.topics import TOPICS, Topic
from tests.conftest import MakeApi
from tests.faults.sheets import PROJECTS, ROLES, sheet
from tests.flows import main_job
from tests.kafka.acls import allow
from tests.kafka.conftest import SecureKafka
from tests.kafka.rights import documented
from tests.support.product import SERVICES, Product
from tests.support.rows import value

pytestmark = pytest.mark.xdist_group("secure-kafka")


async def test_the_main_job_with_logins_and_the_documented_rights(
    api: MakeApi, secure_kafka: SecureKafka, topic_prefix: str
) -> None:
    plain = secure_kafka.access(topic_prefix)
    await create_topics(plain, [Topic(topic.name, 2) for topic in TOPICS])
    for service, rights in documented().items():
        group = f"{topic_prefix}{rights.group}"
        await allow(plain, service, reads=rights.reads, writes=rights.writes, group=group)
    made = await asyncio.gather(*(api(name, clock=SystemClock(), **secure_kafka.login(name)) for name in SERVICES))
    product = Product(dict(zip(SERVICES, made, strict=True)))
    hours = sheet(300)
    async with AsyncExitStack() as ending:
        await ending.enter_async_context(product.working())
        contracts = await main_job.make_terms(product, PROJECTS, ROLES)
        await main_job.import_approved(product, main_job.as_csv(hours))
        await main_job.in_backlog(product, len(hours))
        await main_job.mark_ready(product, contracts)
        scheduled, asked = list(contracts)[::2], list(contracts)[1::2]
        await main_job.schedule(product, scheduled, SystemClock().now().date())
        invoices = await main_job.confirm(product, await main_job.draft(product, asked, beside=len(scheduled)))
        await main_job.invoices_are(product, invoices, contracts, hours)
    for name in SERVICES:
        assert await value(product.runtime(name), "select count(*) from consumed where next_offset > 0"), name
