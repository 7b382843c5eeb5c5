"""A probe with topics of its own, and its operator."""

import pytest

from proforma import commands
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime, MakeTopics
from tests.proforma.restore.scene import TOPIC, Run
from tests.support.databases import LentDatabase
from tests.support.probe import SERVICE
from tests.support.rows import rows


@pytest.fixture
async def lent(make_runtime: MakeRuntime, make_topics: MakeTopics) -> tuple[Runtime, LentDatabase]:
    await make_topics(TOPIC, partitions=3)
    runtime = await make_runtime("probe")
    name, login = (await rows(runtime, "select current_database() d, current_user u"))[0].values()
    return runtime, LentDatabase(name, login, runtime.settings.database_url, "")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """`code, output = await command(runtime, "restore", "list")`, as `python -m <service>` runs it."""

    async def run(runtime: Runtime, *arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = await commands.run(runtime, SERVICE.parser().parse_args(list(arguments)))
        told = capsys.readouterr()
        return code, told.out + told.err

    return run
