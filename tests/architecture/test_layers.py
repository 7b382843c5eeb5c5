"""import-linter's contracts: kept by the tree as it is, broken by a violation planted in a copy of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, SERVICES, package_of

VIOLATIONS = {
    "Services never import one another; the kernel never imports a service": [
        ("services/invoicing/invoicing/app.py", "import scheduler.base"),
        ("shared/proforma/waiting.py", "import scheduler.base"),
    ],
    "Inside a noun, calls go down only": [
        ("services/scheduler/scheduler/triggers/service.py", "import scheduler.triggers.routes"),
        ("services/scheduler/scheduler/triggers/queries.py", "import scheduler.triggers.service"),
        ("services/scheduler/scheduler/triggers/rules.py", "import scheduler.triggers.tables"),
        ("services/scheduler/scheduler/schedules/routes.py", "import scheduler.schedules.handlers"),
    ],
    "Nouns and kernel modules form no cycles": [
        ("shared/proforma/clock.py", "import proforma.outbox"),
    ],
    "Rules are pure: no framework, no I/O": [
        ("services/scheduler/scheduler/triggers/rules.py", "import sqlalchemy"),
        ("services/time-expense/time_expense/entries/rules.py", "import httpx"),
    ],
    "Only proforma.kafka touches Kafka": [
        ("services/invoicing/invoicing/worker.py", "import aiokafka"),
        ("shared/proforma/relay.py", "import aiokafka"),
        ("shared/proforma/kafka_access.py", "import aiokafka"),
    ],
}
"""Contract → files and the line that each must not have."""


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter over the packages below `root`, not the installed ones."""
    packages = [root / "shared", *(root / package_of(service).parent.relative_to(ROOT) for service in SERVICES)]
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()",
         "--no-cache"],
        cwd=root, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, packages)), "COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what import-linter reads."""
    root = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("shared", "services"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_the_tree_keeps_every_contract(copy: Path) -> None:
    answer = lint(copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name in VIOLATIONS:
        assert f"{name} KEPT" in answer.stdout


def test_every_contract_has_a_planted_violation(copy: Path) -> None:
    names = [line for line in (copy / "pyproject.toml").read_text().splitlines() if line.startswith("name = ")]
    assert sorted(VIOLATIONS) == sorted(line.removeprefix('name = "').removesuffix('"') for line in names)


@pytest.mark.parametrize(
    ("name", "file", "line"), [(name, *one) for name, planted in VIOLATIONS.items() for one in planted]
)
def test_a_violation_breaks_its_contract(copy: Path, name: str, file: str, line: str) -> None:
    victim = copy / file
    before = victim.read_text()
    victim.write_text(f"{before}\n{line}\n")
    try:
        answer = lint(copy)
    finally:
        victim.write_text(before)
    assert answer.returncode == 1, answer.stderr
    assert f"{name} BROKEN" in answer.stdout, answer.stdout
