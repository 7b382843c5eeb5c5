"""Health and metrics: what is ready, and what is not and why."""

from prometheus_client.parser import text_string_to_metric_families

from local.processes import free_port
from proforma.revisions import newest_revision
from tests.conftest import MakeApi
from tests.support.databases import Databases
from tests.support.rows import value


async def test_live_needs_nothing(api: MakeApi, databases: Databases) -> None:
    client = await api("probe")
    name = await value(client.runtime, "select current_database()")
    await databases.close(name)
    answer = await client.with_token(None).get("/health/live")
    assert (answer.status_code, answer.json()["status"]) == (200, "live")


async def test_ready_names_each_dependency(api: MakeApi) -> None:
    client = await api("probe")
    answer = await client.with_token(None).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "dependencies": {"database": "ok", "kafka": "ok"}}


async def test_an_api_without_kafka_still_takes_work(api: MakeApi) -> None:
    client = await api("probe", kafka=f"127.0.0.1:{free_port()}")
    answer = await client.with_token(None).get("/health/ready")
    assert answer.status_code == 200
    assert "ConnectionRefusedError" in answer.json()["dependencies"]["kafka"]
    assert (await client.as_("biller").post("/v1/effects", json={"value": "x"})).status_code == 201


async def test_not_ready_without_the_database(api: MakeApi, databases: Databases) -> None:
    client = await api("probe")
    name = await value(client.runtime, "select current_database()")
    await databases.close(name)
    answer = await client.with_token(None).get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["dependencies"]["database"] != "ok"
    await databases.open(name)
    assert (await client.with_token(None).get("/health/ready")).status_code == 200


async def test_not_ready_at_another_revision(api: MakeApi, databases: Databases) -> None:
    client = await api("probe")
    operator = await databases.superuser(await value(client.runtime, "select current_database()"))
    try:
        await operator.execute("update alembic_version set version_num = '0000'")
        answer = await client.with_token(None).get("/health/ready")
        assert answer.status_code == 503
        told = f"at revision 0000, this release needs {newest_revision(client.runtime.migrations)}: run migrate"
        assert answer.json()["dependencies"]["database"] == told
        await operator.execute("drop table alembic_version")
        answer = await client.with_token(None).get("/health/ready")
        assert (answer.status_code, "revision None" in answer.json()["dependencies"]["database"]) == (503, True)
    finally:
        await operator.close()


async def test_metrics_are_prometheus_text_by_route(api: MakeApi) -> None:
    client = await api("probe")
    await client.as_("biller").post("/v1/effects", json={"value": "x"})
    await client.as_("biller").get("/v1/effects/01890000-0000-7000-8000-000000000001")
    await client.as_("biller").get("/v1/nothing/there")
    answer = await client.with_token(None).get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert answer.headers["content-type"].startswith("text/plain")
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"])
        for sample in families["proforma_http_request_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert ("POST", "/v1/effects", "201") in counted
    assert ("GET", "/v1/effects/{effect_id}", "404") in counted
    # Addresses that nobody serves share one series, or a scanner would fill the memory.
    assert ("GET", "none", "404") in counted
    for name in (
        "proforma_messages", "proforma_consumer_retrying", "proforma_outbox_sent", "proforma_outbox_leader",
        "proforma_job_steps", "proforma_waiting", "proforma_waiting_oldest_seconds",
    ):  # fmt: skip
        assert name in families
