"""Every value is documented and in the schema, and the schema knows nothing else. Needs no Helm."""

import json
import re
from typing import Any

from helm import values_table
from tests.deploy.chart import CHART, DEFAULTS, FULL

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
SERVICES = {"billing-backlog", "invoicing", "scheduler"}

# Maps whose keys the user chooses.
FREE = {
    "commonLabels", "podAnnotations", "extraEnv", "limits", "annotations", "hosts", "labels", "nodeSelector",
    "affinity", "podLabels", "databases", "requests", "global",
}  # fmt: skip


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follows a reference."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][name] if name else schema


def schema_paths(schema: dict[str, Any], above: str = "") -> set[str]:
    """Every path that the schema names."""
    found: set[str] = set()
    for name, inner in resolved(schema).get("properties", {}).items():
        found |= {f"{above}{name}"} | schema_paths(inner, f"{above}{name}.")
    return found


def value_paths(values: dict[str, Any], above: str = "") -> set[str]:
    """Every path that the values name."""
    found: set[str] = set()
    for name, inner in values.items():
        found.add(f"{above}{name}")
        if isinstance(inner, dict) and name not in FREE:
            found |= value_paths(inner, f"{above}{name}.")
    return found


def test_the_schema_knows_every_value_and_every_value_is_there() -> None:
    known = schema_paths(SCHEMA) - {"global"}
    there = value_paths(DEFAULTS)
    # What a service says differently, and what the secrets for trying out hold, is empty by default.
    by_choice = re.compile(r"services\.[a-z-]+\.(api|worker)\..*|secrets\.kafka\..*")
    assert {path for path in known - there if not by_choice.fullmatch(path)} == set()
    assert there - known - {path for path in there if path.startswith(("topologySpread",))} == set()


def test_the_full_values_switch_everything_on() -> None:
    switches = {path for path in value_paths(DEFAULTS) if path.endswith(".enabled") and at(DEFAULTS, path) is False}
    assert {path for path in switches if at(FULL, path) is not True} == set()


def at(values: dict[str, Any], path: str) -> Any:
    """The value at a path, None when there is none."""
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def test_no_map_takes_a_key_that_nobody_reads() -> None:
    def loose(schema: dict[str, Any], path: str) -> list[str]:
        own = resolved(schema)
        inner = [name for key, one in own.get("properties", {}).items() for name in loose(one, f"{path}.{key}")]
        return inner + ([path] if "properties" in own and own.get("additionalProperties") is not False else [])

    assert loose(SCHEMA, "") == []
    assert [name for name, one in SCHEMA["$defs"].items() if loose(one, name)] == []


def test_the_services_differ_in_their_secrets_only() -> None:
    first = json.dumps(DEFAULTS["services"]["time-expense"])
    for service in SERVICES:
        assert json.dumps(DEFAULTS["services"][service]) == first.replace("time-expense", service)


def test_every_value_is_used_by_a_template() -> None:
    templates = "\n".join(file.read_text() for file in (CHART / "templates").iterdir())
    leaves = {path.rsplit(".", 1)[-1] for path in value_paths(DEFAULTS)} - SERVICES
    # `api` and `worker` are reached by the role.
    whole = {"requests", "cpu", "memory", "time-expense", "worker"}
    assert {name for name in leaves - whole if f".{name}" not in templates} == set()


def test_the_readme_lists_every_value_with_its_meaning() -> None:
    """The table is made from the comments of values.yaml; none is without one."""
    text, readme = values_table.VALUES.read_text(), values_table.README.read_text()
    assert values_table.with_table(readme, text) == readme, "make docs"
    listed = values_table.values(text)
    assert [one.path for one in listed if not one.meaning and not one.map] == []
    paths = {
        path.replace("services.time-expense", "services.<service>")
        for path in value_paths(DEFAULTS)
        if not any(path.startswith(f"services.{service}") for service in SERVICES)
    }
    inside = re.compile(r".*\.resources\.(requests|limits)")
    assert {path for path in paths if not inside.fullmatch(path)} == {one.path for one in listed}
