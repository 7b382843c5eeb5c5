"""Four databases backed up at one moment while work goes on, restored to it, and the work goes on, exact."""

import asyncio
import contextlib
import io
import json
import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from backup.restore import restore, settle
from backup.take import snapshots, take
from backup.tools import BackupError, Tools, dump_of
from local.backend import Backend
from local.databases import with_login
from local.postgres import BINARIES
from proforma import commands
from proforma.history import History
from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime, MakeTopics
from tests.flows import main_job
from tests.flows.main_job import Hours
from tests.support.databases import Databases, LentDatabase, service_named
from tests.support.product import SERVICES, Product, together
from tests.support.rows import change, rows, value
from tests.support.waits import eventually


@pytest.fixture
async def tools(backend: Backend) -> Tools:
    """Clients of the server's own time: what a newer pg_restore sets, an older server does not know."""
    connection = await asyncpg.connect(backend.postgres)
    try:
        old = connection.get_server_version().major < 17
    finally:
        await connection.close()
    return Tools(BINARIES.parents[1] / "pginstall" / "bin" if old else BINARIES)


async def lent_of(runtime: Runtime) -> LentDatabase:
    (one,) = await rows(runtime, "select current_database()::text as name, current_user::text as login")
    url = runtime.settings.database_url
    return LentDatabase(**one, url=url, owner_url=with_login(url, one["name"], f"{one['login']}_owner", "test"))


def sheet(name: str, count: int) -> list[Hours]:
    chance = random.Random(name)
    first = date(2026, 2, 2)
    return [
        Hours(
            f"{name}-{n}", f"P{n % 3}", f"T{n % 7}", f"r{n % 5}", "dev", first + timedelta(days=n % 20),
            Decimal(chance.randrange(1, 800)) / 100,
        )
        for n in range(count)
    ]  # fmt: skip


async def call(runtimes: dict[str, Runtime], service: str, *arguments: str) -> str:
    """As an operator calls it, in this process."""
    given = [*arguments, "--by", "ops"] if "--reason" in arguments else list(arguments)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = await commands.run(runtimes[service], service_named(service).parser().parse_args(given))
    assert code == 0, told.getvalue()
    return told.getvalue()


async def test_all_four_come_back_to_one_moment_and_the_work_goes_on(
    api: MakeApi, make_topics: MakeTopics, databases: Databases, tmp_path: Path, tools: Tools
) -> None:
    product = await together(api, make_topics)
    runtimes = {name: product.runtime(name) for name in SERVICES}
    lent = {name: await lent_of(runtime) for name, runtime in runtimes.items()}
    urls = {name: one.owner_url for name, one in lent.items()}
    first, second = sheet("a", 90), sheet("b", 300)
    async with product.working():
        contracts = await main_job.make_terms(product, ["P0", "P1", "P2"], ["dev"])
        await main_job.import_approved(product, main_job.as_csv(first))
        await main_job.in_backlog(product, len(first))
        await main_job.mark_ready(product, contracts)
        drafts = await main_job.draft(product, list(contracts))
        # The backup is taken while the second sheet is on its way.
        importing = asyncio.create_task(main_job.import_approved(product, main_job.as_csv(second)))
        moment = await take(urls, tmp_path / "backup", tools)
        await importing
        # What happens now is lost: three invoices are confirmed and posted, the third sheet is billed.
        confirmed = await main_job.confirm(product, drafts)
        assert [one["number"][-1] for one in sorted(confirmed, key=lambda one: str(one["number"]))] == ["1", "2", "3"]
        await main_job.in_backlog(product, len(first) + len(second))
        await product.quiet()
    for name in SERVICES:
        await runtimes[name].database.engine.dispose()
        await databases.empty_again(lent[name])
    assert await restore(urls, tmp_path / "backup", tools) == moment
    assert moment["databases"].keys() == set(SERVICES)
    for name in ("time-expense", "billing-backlog", "invoicing"):
        why = await History(runtimes[name]).compare()
        # The import may have been over when the backup was taken, what invoicing said was not.
        assert why is not None or name == "time-expense"
    since = await settle(list(SERVICES), lambda service, *given: call(runtimes, service, *given), "a drill")
    assert since["invoicing"] == 3
    await finish(product, contracts, first, second)


async def finish(product: Product, contracts: dict[str, str], first: list[Hours], second: list[Hours]) -> None:
    """Does again what is lost, and the rest; every figure is as it would have been."""
    async with product.working():
        missing = await value(
            product.runtime("time-expense"), "select $1 - count(*) from entries where status = 'approved'",
            len(first) + len(second),
        )  # fmt: skip
        if missing:
            await main_job.import_approved(product, main_job.as_csv(second))
        await main_job.in_backlog(product, len(first) + len(second))

        async def drafts() -> list[dict[str, Any]] | None:
            found = await product.all("invoicing", "/v1/invoices", status="draft")
            return found if len(found) == 3 else None

        again = await eventually(drafts, 120)
        assert again is not None
        invoices = await main_job.confirm(product, again)
        await figures(invoices, contracts, first)
        # Numbers 1 to 3 left the house before the restore: nobody gets them again.
        assert sorted(one["number"][-1] for one in invoices) == ["4", "5", "6"]
        assert await main_job.mark_ready(product, contracts) == len(second)
        rest = await main_job.confirm(product, await main_job.draft(product, list(contracts)))
        await figures([one for one in rest if one["number"][-1] in "789"], contracts, second)
        assert (await main_job.check_ledger(product))["violations"] == []
        assert await product.dead_letters() == []


async def figures(invoices: list[dict[str, Any]], contracts: dict[str, str], sheet: list[Hours]) -> None:
    expected = main_job.totals_of(sheet)
    said = {contracts[one["contract_id"]]: (one["details"], Decimal(one["total"])) for one in invoices}
    assert said == {project: (count, amount) for project, (count, _, amount) in expected.items()}


async def test_no_event_takes_effect_between_the_four_snapshots(make_runtime: MakeRuntime) -> None:
    """One database's batch is under way: the others' snapshots are taken after it, so they have what caused it."""
    one, two = await make_runtime("probe"), await make_runtime("probe")
    insert = "insert into consumed values ('c', 't', 0, 1)"
    await change(one, insert)
    urls = {name: (await lent_of(runtime)).owner_url for name, runtime in (("one", one), ("two", two))}
    batch = await one.database.connect()
    try:
        await batch.execute("begin; update consumed set next_offset = 2")

        async def taken() -> int:
            async with snapshots(urls) as found:
                reader = await two.database.connect()
                try:
                    await reader.execute("begin isolation level repeatable read")
                    await reader.execute(f"set transaction snapshot '{found['two']['snapshot']}'")
                    return int(await reader.fetchval("select count(*) from effects"))
                finally:
                    await reader.close()

        taking = asyncio.create_task(taken())

        async def waits() -> bool:
            held_up = "select count(*) = 1 from pg_locks where not granted and relation = 'consumed'::regclass"
            return bool(await batch.fetchval(held_up))

        await eventually(waits)
        # Said by the other one while the batch was under way.
        await change(two, "insert into effects values (gen_random_uuid(), 'k', 'v')")
        await batch.execute("commit")
        assert await taking == 1
    finally:
        await batch.close()
    # Afterwards everybody moves on.
    await change(one, "update consumed set next_offset = 3")


async def test_a_batch_that_hangs_ends_the_backup_and_leaves_nothing(
    make_runtime: MakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: Tools
) -> None:
    monkeypatch.setattr("backup.take._LOCK_TIMEOUT_S", 1)
    runtime = await make_runtime("probe")
    await change(runtime, "insert into consumed values ('c', 't', 0, 1)")
    batch = await runtime.database.connect()
    try:
        await batch.execute("begin; update consumed set next_offset = 2")
        with pytest.raises(BackupError, match="try again"):
            await take({"probe": (await lent_of(runtime)).owner_url}, tmp_path / "backup", tools)
    finally:
        await batch.close()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_what_could_destroy_something_is_refused(make_runtime: MakeRuntime, tmp_path: Path, tools: Tools) -> None:
    urls = {"probe": (await lent_of(await make_runtime("probe"))).owner_url}
    folder = tmp_path / "backup"
    await take(urls, folder, tools)
    assert json.loads((folder / "moment.json").read_text())["databases"]["probe"]["outbox_id"] == 0
    with pytest.raises(BackupError, match="there already"):
        await take(urls, folder, tools)
    with pytest.raises(BackupError, match="not empty"):
        await restore(urls, folder, tools)
    with pytest.raises(BackupError, match="asked for are"):
        await restore({"other": urls["probe"]}, folder, tools)
    with dump_of(folder, "probe").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BackupError, match="not what was written"):
        await restore(urls, folder, tools)
