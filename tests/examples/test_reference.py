"""The reference pages say what the code has: every metric and every command, and none that is gone."""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from proforma.__main__ import parser as kernel_parser
from tests.support.databases import service_named
from tests.support.product import SERVICES

ROOT = Path(__file__).parents[2]
METRICS = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")

# What every command has, said once above the tables; and what is no operator's command.
EVERYWHERE = re.compile(r" ?\[(-h|--json|--by BY)\]")
PROCESSES = {"api", "worker", "migrate"}


def table(page: str, columns: int) -> list[list[str]]:
    """The cells of the rows whose first one is code."""
    rows = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return [[cell.strip(" |") for cell in row] for row in rows if len(row) == columns]


def registered() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every metric of the product that any process can have: name, type, labels."""
    for service in SERVICES:
        service_named(service)
        importlib.import_module(f"{service.replace('-', '_')}.worker")
    for collector in list(REGISTRY._collector_to_names):
        if isinstance(collector, MetricWrapperBase) and not collector._name.startswith("proforma_test_"):
            suffix = "_total" if collector._type == "counter" else ""
            yield collector._name + suffix, str(collector._type), tuple(collector._labelnames)


def test_the_list_of_metrics_is_the_registrys() -> None:
    listed = table(METRICS, 5)
    told = {(name.strip("`"), kind, tuple(label for label in labels.split(", ") if label != "–"))
            for name, kind, labels, *_ in listed}  # fmt: skip
    assert told == {one for one in registered() if one[0].startswith("proforma_")}
    assert [row[0] for row in listed if not (row[3] and row[4].endswith("."))] == []


def commands_of(parser: argparse.ArgumentParser, words: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """How each command below a parser is called, and what it does."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, own in action.choices.items():
                below = list(commands_of(own, [*words, name]))
                yield from below or [(f"{' '.join([*words, name])} {usage(own)}".strip(), helps[name])]


def usage(parser: argparse.ArgumentParser) -> str:
    text = " ".join(parser.format_usage().split()).removeprefix(f"usage: {parser.prog}")
    return EVERYWHERE.sub("", text).strip()


@pytest.mark.parametrize("service", SERVICES)
def test_each_command_of_a_service_is_listed(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    rows = {tuple(row) for row in table(COMMANDS, 2)}
    wanted = {(f"`{call}`", told) for call, told in commands_of(service_named(service).parser())
              if call not in PROCESSES}  # fmt: skip
    assert wanted
    assert wanted - rows == set()


def test_no_command_is_listed_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    there = [*commands_of(kernel_parser())]
    for service in SERVICES:
        there += commands_of(service_named(service).parser())
    listed = {tuple(row) for row in table(COMMANDS, 2)}
    assert listed - {(f"`{call}`", told) for call, told in there} == set()
    assert {(f"`{call}`", told) for call, told in commands_of(kernel_parser())} - listed == set()


def test_the_page_tells_of_every_service() -> None:
    for service in SERVICES:
        assert f"`{service.replace('-', '_')}`" in COMMANDS
