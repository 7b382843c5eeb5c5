"""`python -m backup`, as it is called."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backup.__main__ import Caller, databases_of, environment_of
from backup.tools import BackupError
from tests.conftest import MakeRuntime
from tests.support.processes import environment

ROOT = Path(__file__).parents[2]
FOUR = ("time-expense", "billing-backlog", "invoicing", "scheduler")


def test_the_databases_are_exactly_the_four(tmp_path: Path) -> None:
    file = tmp_path / "databases.json"
    file.write_text(json.dumps({service: f"postgresql://{service}" for service in FOUR}))
    assert databases_of(file)["invoicing"] == "postgresql://invoicing"
    for text in ("{", "[]", '{"invoicing": "postgresql://one"}'):
        file.write_text(text)
        with pytest.raises(BackupError, match=r"databases\.json"):
            databases_of(file)


def test_an_environment_is_lines_of_names_and_values(tmp_path: Path) -> None:
    file = tmp_path / "invoicing.env"
    file.write_text("# a comment\n\nPROFORMA_KAFKA=a:1,b:2\nPROFORMA_DATABASE_URL=postgresql://a:b=c@d/e\n")
    assert environment_of(file) == {
        "PROFORMA_KAFKA": "a:1,b:2", "PROFORMA_DATABASE_URL": "postgresql://a:b=c@d/e",
    }  # fmt: skip
    with pytest.raises(BackupError, match=r"other\.env"):
        environment_of(tmp_path / "other.env")


async def test_a_services_own_commands_are_called_in_its_environment(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    for service in FOUR:
        (tmp_path / f"{service}.env").write_text("")
    lines = [f"{name}={value}" for name, value in environment(await make_runtime("scheduler")).items()]
    (tmp_path / "scheduler.env").write_text("\n".join(lines))
    call = Caller(tmp_path, "ada")
    assert json.loads(await call("scheduler", "restore", "list", "--json")) == []
    with pytest.raises(BackupError, match="scheduler: restore ignore"):
        await call("scheduler", "restore", "ignore", str(tmp_path / "nothing"), "--reason", "r")


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "backup", "take", str(tmp_path / "b"), "--databases", str(tmp_path / "none")],
        env={"PYTHONPATH": str(ROOT / "deploy")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr.startswith("backup: ")
    assert len(told.stderr.splitlines()) == 1
