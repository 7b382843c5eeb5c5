"""Writes the table of the chart's values into its README, from the comments of values.yaml: `make docs`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).parent / "proforma"
VALUES = CHART / "values.yaml"
README = CHART / "README.md"
BEGIN = "<!-- values: made by `make docs` -->"
END = "<!-- end of the values -->"
# All services have the same keys; the first one stands for all.
FIRST, OTHERS = "time-expense", {"billing-backlog", "invoicing", "scheduler"}
# What a user of Kubernetes knows, and sets as a whole.
WHOLE = {"resources", "topologySpread"}


@dataclass(frozen=True, slots=True)
class Value:
    """One row: the path, its default as JSON-like YAML, and what its comment says; `map` is a heading of others."""

    path: str
    default: str
    meaning: str
    map: bool


def values(text: str) -> list[Value]:
    """Every value of the file, in its order; what has no comment has an empty meaning."""
    root = yaml.compose(text)
    return list(_walk(root, "", text.splitlines()))


def _walk(node: yaml.MappingNode, above: str, lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        if above == "services." and key.value in OTHERS:
            continue
        name = "<service>" if above == "services." and key.value == FIRST else key.value
        path = f"{above}{name}"
        inner = isinstance(value, yaml.MappingNode) and bool(value.value) and key.value not in WHOLE
        yield Value(path, "" if inner else _default(value), _comment(key.start_mark.line, lines), inner)
        if inner:
            yield from _walk(value, f"{path}.", lines)


def _comment(line: int, lines: list[str]) -> str:
    """The comment directly above a line."""
    found: list[str] = []
    while line > 0 and (match := re.fullmatch(r" *# ?(.*)", lines[line - 1])):
        found.insert(0, match[1])
        line -= 1
    return " ".join(found)


def _default(node: yaml.Node) -> str:
    flow: str = yaml.safe_dump(yaml.safe_load(yaml.serialize(node)), default_flow_style=True, width=10_000)
    return flow.removesuffix("\n").removesuffix("\n...")


def table(text: str) -> str:
    """The table in Markdown."""
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for one in values(text):
        if one.map and not one.meaning:
            continue
        meaning = one.meaning.replace("|", "\\|")
        default = f"`{one.default}`".replace("|", "\\|") if one.default else ""
        rows.append(f"| {f'**`{one.path}`**' if one.map else f'`{one.path}`'} | {default} | {meaning} |")
    return "\n".join(rows)


def with_table(readme: str, text: str) -> str:
    """The README with the table of these values between its two marks; raises ValueError without the marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{table(text)}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(), VALUES.read_text()))
