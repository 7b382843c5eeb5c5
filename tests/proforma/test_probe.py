"""The fixtures themselves."""

from proforma.db import fetch_value
from proforma.worker import Worker
from tests.conftest import MakeApi, MakeRuntime, MakeTopics
from tests.support.events import deliver, outbox_of
from tests.support.probe import HANDLERS, SERVICE, Told
from tests.support.waits import eventually, running


async def test_api(api: MakeApi) -> None:
    probe = await api("probe")
    answer = await probe.as_("biller").post("/v1/effects", json={"value": "x"})
    assert answer.status_code == 201, answer.text
    assert len(await outbox_of(probe.runtime)) == 1
    await deliver(probe.runtime, HANDLERS, Told(name="a", value="b"), Told(name="a", value="c"))


async def test_worker(make_runtime: MakeRuntime, make_topics: MakeTopics, api: MakeApi) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    probe = await api(runtime)
    async with running(Worker(runtime, SERVICE.work(runtime))):
        answer = await probe.as_("biller").post("/v1/effects", json={"value": "x"})
        assert answer.status_code == 201, answer.text

        async def n() -> bool:
            async with runtime.database.transaction() as session:
                return bool(await fetch_value(session, "select count(*) = 2 from effects"))

        await eventually(n)
