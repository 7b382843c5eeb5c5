"""The demo against the four services over real sockets: it plays, tells, can be repeated, and fails when it should."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from examples import demo, plan
from proforma.clock import SystemClock
from tests.conftest import MakeApi, MakeTopics
from tests.support.product import SERVICES, Product, together
from tests.support.tokens import Tokens
from tests.support.waits import eventually

ROLES = ("submitter", "approver", "biller", "manager", "admin", "service")
SHEET = """Project,Employee,Hours,Role,Date
A,ann,7.5,dev,2026-02-02
A,ann,0.33,lead,2026-02-03
B,bob,30,lead,2026-02-04
B,bob,2,lead,2099-02-05
B,bob,2,lead,soon
"""


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[str]:
    """The app behind a free port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False))
    # Without serve()'s signal handlers: signals are pytest's.
    task = asyncio.create_task(server._serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def _stack(product: Product, tokens: Tokens, folder: Path) -> AsyncIterator[Path]:
    """What `make up` has when it is done: processes that answer and work, and the file that says where."""
    async with AsyncExitStack() as ending:
        urls: dict[str, str] = {}
        for name in SERVICES:
            urls[name] = await ending.enter_async_context(_served(product.apis[name].app))
        await ending.enter_async_context(product.working())
        file = folder / "stack.json"
        held: Mapping[str, object] = {
            "services": urls, "tokens": {role: tokens.token(role, sub=f"local-{role}") for role in ROLES},
        }  # fmt: skip
        file.write_text(json.dumps(held))
        yield file


@pytest.fixture
def tenth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample with a tenth of its entries, those far in the future all among them: enough to see everything."""
    head, *rows = (plan.SAMPLE / "entries.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for number, row in enumerate(rows) if number % 10 == 0 or ",2099-" in row]
    (tmp_path / "entries.csv").write_text(head + "".join(kept), encoding="utf-8")
    (tmp_path / "contracts.json").write_bytes((plan.SAMPLE / "contracts.json").read_bytes())
    monkeypatch.setattr(plan, "SAMPLE", tmp_path)


@pytest.mark.usefixtures("tenth")
async def test_the_demo_plays_the_sample_and_then_a_csv_twice(
    api: MakeApi, make_topics: MakeTopics, tokens: Tokens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = await together(api, make_topics, clock=SystemClock())
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(SHEET)
    async with _stack(product, tokens, tmp_path) as file:

        async def play(*arguments: str) -> tuple[int, str, str]:
            code = await asyncio.to_thread(demo.main, ["--stack", str(file), *arguments])
            told = capsys.readouterr()
            return code, told.out, told.err

        code, out, err = await play()
        assert (code, err) == (0, "")
        for told in ("play 1", "40 people", "8 invoices against the CSV", "0 violations", "no_price", "/docs"):
            assert told in out
        assert "1 contract on schedule: 3 days came, 6 triggers, 3 drafts" in out
        _a_day_came(out)
        assert re.search(r"Total PF-\d{4}-000009 +9,191\.95\n +Corrected by PF-\d{4}-000010 +-45\.00", out)

        code, out, err = await play("--data", str(sheet))
        assert (code, err) == (0, "")
        assert "play 1" in out
        assert "The import refused 1 row" in out
        assert "39.83 hours in 7 entries" in out

        async with product.apis["billing-backlog"].runtime.database.engine.begin() as connection:
            await connection.exec_driver_sql("update items set quantity = quantity + 1 where billing_status = 'ready'")
        code, out, err = await play("--data", str(sheet))
        assert code == 1
        assert "play 2" in out
        assert err.startswith("demo: the ledger check found")
        assert err.count("\n") == 1


def _a_day_came(out: str) -> None:
    """The two days of the sample were made up for, and today's came: two triggers each, a run, and its draft."""
    told = out.partition("By the calendar: contracts whose day came")[2].partition("One of 8 invoices")[0]
    row = r"(\d{4}-\d\d-\d\d) +[-\d]+ \d\d:\d\d +2 +[-\d]+ [:\d]+ +\d+ items? +[\d,]+\.\d\d EUR +PF-\d{4}-\d{6}"
    days = re.findall(row, told)
    assert days[:2] == ["2026-02-02", "2026-03-02"]
    assert len(days) == 3
    assert f"The day {days[2]} has come. 2 earlier days were made up for" in " ".join(told.split())
    assert "2 published, 0 owed" in " ".join(told.split())
