"""The source tree as the architecture's tests read it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("time-expense", "billing-backlog", "invoicing", "scheduler")
KERNEL = ROOT / "shared" / "proforma"


def package_of(service: str) -> Path:
    """The folder of a service's package."""
    return ROOT / "services" / service / service.replace("-", "_")


def product_files() -> list[Path]:
    """Every Python file that runs in production."""
    return [*sorted(KERNEL.rglob("*.py")), *sorted((ROOT / "services").rglob("*.py"))]


def service_files() -> list[Path]:
    """Every Python file of the services' packages."""
    return [file for service in SERVICES for file in sorted(package_of(service).rglob("*.py"))]


def all_files() -> list[Path]:
    """Every Python file of the repository."""
    folders = ("shared", "services", "deploy", "tests", "bench", "examples", "docs")
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def tree_of(file: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(file.read_text())


def named(file: Path) -> str:
    """The file as a message shows it."""
    return str(file.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
