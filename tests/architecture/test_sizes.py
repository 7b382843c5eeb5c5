"""Limits of size and the shape of the tree: what passes them is two things under one name."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source import (
    KERNEL,
    ROOT,
    SERVICES,
    all_files,
    functions,
    named,
    package_of,
    product_files,
    service_files,
    tree_of,
)

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
SLICE = {"__init__", "rules", "tables", "schemas", "queries", "service", "routes", "handlers"}
SECTIONS = ["Owns", "Does not own", "States", "Invariants", "Events", "HTTP"]
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "misc", "constants", "base_service", "interfaces"}


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its own lines: a function inside counts for itself."""
    own = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    for inner in ast.walk(function):
        if inner is not function and isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([one.lineno for one in inner.decorator_list], default=inner.lineno)
            own -= set(range(first, (inner.end_lineno or first) + 1))
    return len(own)


def test_no_file_is_longer_than_300_lines() -> None:
    found = {named(file): len(file.read_text().splitlines()) for file in all_files()}
    assert {name: lines for name, lines in found.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    found = {f"{named(file)} {one.name}": lines_of(one) for file in all_files() for one in functions(tree_of(file))}
    assert {name: lines for name, lines in found.items() if lines > FUNCTION_LINES_MAX} == {}


def test_the_count_of_lines_counts() -> None:
    source = (
        "def outer():\n" + "    a = 1\n" * 3 + "    @one\n    def inner():\n" + "        b = 1\n" * 5 + "    return a\n"
    )
    outer, inner = functions(ast.parse(source))
    assert (lines_of(outer), lines_of(inner)) == (5, 6)


def test_a_slice_has_only_its_seven_kinds_of_file() -> None:
    strange = [
        named(file) for file in service_files()
        if file.parent != package_of(file.relative_to(ROOT).parts[1])
        and not (file.stem in SLICE and file.parent.parent == package_of(file.relative_to(ROOT).parts[1]))
    ]  # fmt: skip
    assert strange == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [named(file) for file in all_files() if file.stem in EMPTY_WORDS] == []


def test_package_files_are_empty() -> None:
    inits = [file for file in [*KERNEL.rglob("__init__.py"), *service_files()] if file.name == "__init__.py"]
    assert inits
    assert [named(file) for file in inits if file.read_text().strip()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_says_what_it_owns_and_what_not(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[: len(SECTIONS)] == SECTIONS
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        assert len(part.split()) >= 5


def test_the_kernels_page_names_every_module() -> None:
    text = (ROOT / "shared" / "README.md").read_text()
    modules = {file.stem for file in KERNEL.glob("*.py")} - {"__init__", "__main__"}
    assert {name for name in modules if f"`{name}`" not in text} == set()


def test_tests_mirror_the_tree() -> None:
    """Who looks for the tests of a noun finds them under its name."""
    nouns = {
        Path(package_of(service).name, folder.name)
        for service in SERVICES
        for folder in package_of(service).iterdir()
        if (folder / "__init__.py").exists()
    }
    assert [str(noun) for noun in sorted(nouns) if not list((ROOT / "tests" / noun).glob("test_*.py"))] == []


def test_every_module_says_what_it_is() -> None:
    files = [file for file in product_files() if file.name != "__init__.py"]
    assert [named(file) for file in files if not ast.get_docstring(tree_of(file))] == []


def test_every_public_thing_of_the_kernel_says_what_it_is() -> None:
    silent = [
        f"{named(file)} {node.name}"
        for file in KERNEL.rglob("*.py")
        for node in tree_of(file).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name[0] != "_"
        and not ast.get_docstring(node)
        and not says_it_by_its_name(node)
    ]
    assert silent == []


def says_it_by_its_name(node: ast.AST) -> bool:
    """An exception that is one line of constants."""
    return isinstance(node, ast.ClassDef) and bool(node.bases) and len(node.body) == 1
