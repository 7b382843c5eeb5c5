"""The documentation is true to the tree: what it links, names and tells to type is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeApi

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md")
PAGES = sorted([ROOT / name for name in TOP] + list((ROOT / "docs").rglob("*.md")))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
SERVICES = {"1": "time-expense", "2": "billing-backlog", "3": "invoicing", "4": "scheduler"}


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _sources() -> Iterator[Path]:
    for folder in ("services", "shared", "deploy", "examples", "docs", "tests"):
        yield from (ROOT / folder).rglob("*.py")


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_files_and_functions_that_are_named_exist(page: Path) -> None:
    sources = {path.relative_to(ROOT).as_posix(): path for path in _sources()}
    named = re.findall(r"`([\w/-]+/[\w-]+\.py)(?:: (\w+))?`", page.read_text(encoding="utf-8"))
    for path, name in named:
        found = [source for where, source in sources.items() if f"/{where}".endswith(f"/{path}")]
        assert found, f"there is no {path}"
        if name:
            texts = [source.read_text(encoding="utf-8") for source in found]
            assert any(re.search(rf"^(async def|def|class) {name}\b|^{name}\b.* = ", text, re.M) for text in texts), (
                f"no {name} in {path}"
            )


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_folders_that_are_named_exist(page: Path) -> None:
    for folder in re.findall(r"`((?:services|shared|deploy|examples|tests|docs)/[\w./-]*/)`", page.read_text("utf-8")):
        assert (ROOT / folder).is_dir(), folder


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_make_has_the_targets_that_are_named(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    text = page.read_text(encoding="utf-8")
    told = [words.split() for words in re.findall(r"`make ((?:[a-z]+ ?)+)", text)]
    told += [[word] for word in re.findall(r"^make ([a-z]+)", text, re.M)]
    assert {word for words in told for word in words} <= targets


@pytest.mark.parametrize("page", DECISIONS, ids=_named)
def test_a_decision_is_half_a_page_with_its_three_parts_and_in_the_list(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    number, _, title = text.splitlines()[0].removeprefix("# ").partition(" · ")
    assert page.name.startswith(f"{number}-")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Context", "## Decision", "## Consequences",
    ]  # fmt: skip
    assert len(text.splitlines()) <= 60
    assert f"| [{number}]({page.name}) | {title} |" in (page.parent / "README.md").read_text(encoding="utf-8")


def test_no_page_has_a_line_that_does_not_fit() -> None:
    """Tables, drawings and commands may be as long as they must."""
    for page in PAGES:
        drawn = False
        for line in page.read_text(encoding="utf-8").splitlines():
            drawn ^= line.startswith("```")
            assert drawn or line.startswith("|") or len(line) <= 120, f"{page.name}: {line}"


def _calls() -> Iterator[tuple[str, str, str]]:
    """(service, method, path) of each call in the README's curl example."""
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    for line in block.splitlines():
        words = shlex.split(re.sub(r"\b[A-Z]=\$\(|^printf .*? \| |^sleep \d;", " ", line))
        if "call" in words:
            address, *data = words[words.index("call") + 1 :]
            service, path = SERVICES[address[0]], address[1:].partition("?")[0].rstrip(")")
            yield service, "get" if not data or data[0] == "|" else "post", path


async def test_the_curl_example_calls_what_there_is(api: MakeApi) -> None:
    known: dict[str, dict[str, set[str]]] = {}
    calls = list(_calls())
    assert len(calls) == 11
    for service, method, path in calls:
        if service not in known:
            answer = await (await api(service)).as_("admin").get("/openapi.json")
            paths = answer.json()["paths"]
            known[service] = {re.sub(r"{\w+}", "{}", where): set(verbs) for where, verbs in paths.items()}
        assert method in known[service][re.sub(r"\$\w", "{}", path)], (service, method, path)
