"""An operator's commands on the embedded stack: the addresses come from what is up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.operate import operate
from local.processes import LocalError
from local.stack import Stack
from tests.conftest import MakeRuntime

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def folder(make_runtime: MakeRuntime, tmp_path: Path) -> Path:
    """The folder of a stack whose scheduler is on a fresh database."""
    runtime = await make_runtime("scheduler")
    facts = {"kafka": runtime.settings.kafka, "databases": {"scheduler": runtime.settings.database_url}}
    (tmp_path / "stack.json").write_text(json.dumps(facts))
    return tmp_path


def test_a_command_finds_its_database(folder: Path) -> None:
    words = ["--folder", str(folder), "operate", "scheduler", "waiting", "list", "--json"]
    answer = subprocess.run(
        [sys.executable, "-m", "local", *words], cwd=ROOT / "deploy", capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "[]\n", "")


def test_without_a_stack_or_a_service_it_says_so(tmp_path: Path) -> None:
    stack = Stack(tmp_path, {})
    with pytest.raises(LocalError, match="not up: make up"):
        operate(stack, ["scheduler", "waiting", "list"])
    for words in ([], ["waiting", "list"]):
        with pytest.raises(LocalError, match="which service"):
            operate(stack, words)
