"""The chart, rendered by Helm's library: what the tests of the chart look at."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/proforma"
FULL_FILE = CHART / "ci/full-values.yaml"
SERVICES = ("time-expense", "billing-backlog", "invoicing", "scheduler")

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
FULL: dict[str, Any] = yaml.safe_load(FULL_FILE.read_text())

needs_helm = pytest.mark.skipif(
    importlib.util.find_spec("helm_python") is None,
    reason="Helm's library is not installed: `make test` installs it where there is a wheel for the machine",
)

Manifest = Mapping[str, Any]


class NotRendered(Exception):
    """Helm refused; the message is what the user reads."""


@cache
def _ask(question: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("helm_process.py"))],
        input=question, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _rendered(values: Mapping[str, Any]) -> dict[str, str]:
    answer = _ask(json.dumps({"command": "render", "chart": str(CHART), "values": values}))
    if "refused" in answer:
        raise NotRendered(answer["refused"])
    files: dict[str, str] = answer["files"]
    return files


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """All manifests for these values over the defaults, to be read only; raises NotRendered."""
    return _manifests(json.dumps(values))


@cache
def _manifests(values: str) -> list[Manifest]:
    texts = [text for name, text in _rendered(json.loads(values)).items() if name.endswith(".yaml")]
    # The loader in C: there are thousands of lines.
    return [one for text in texts for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def notes(values: Mapping[str, Any]) -> str:
    """What a user reads after the installation."""
    return _rendered(values)["proforma/templates/NOTES.txt"]


def lint(values: Mapping[str, Any]) -> list[str]:
    """What `helm lint --strict` complains about; information is no complaint."""
    answer = _ask(json.dumps({"command": "lint", "chart": str(CHART), "values": values}))
    return [*answer["errors"], *(str(one) for one in answer["messages"] if one["severity"] > 1)]


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Those of a kind, by name without the release."""
    return {
        one["metadata"]["name"].removeprefix("rel-proforma").removeprefix("-"): one
        for one in manifests
        if one["kind"] == kind
    }


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod templates of Deployments and Jobs, by the name of what makes them."""
    makers = of_kind(manifests, "Deployment") | of_kind(manifests, "Job")
    return {name: maker["spec"]["template"] for name, maker in makers.items()}


def container(pod: Manifest) -> Manifest:
    """The one container of a pod."""
    (one,) = pod["spec"]["containers"]
    found: Manifest = one
    return found


def environment(pod: Manifest) -> dict[str, str]:
    """Variables of the container; a secret's is `secret/key`."""
    return {one["name"]: _source(one) for one in container(pod)["env"]}


def _source(variable: Manifest) -> str:
    if "value" in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    return f"{reference['name']}/{reference['key']}"
