"""Every PromQL expression of alerts and dashboards, and the metrics that the code has."""

import importlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY

from tests.deploy.chart import ROOT, SERVICES

PROMETHEUS = ROOT / "deploy/observability/prometheus"
DASHBOARDS = sorted((ROOT / "deploy/observability/grafana/dashboards").glob("*.json"))
# What Prometheus and its configuration add to every series.
TARGET_LABELS = {"service", "role", "namespace", "instance", "job"}
_SELECTOR = re.compile(r"\b(?:proforma_\w+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Used:
    """One metric in one expression, with its matchers."""

    where: str
    metric: str
    matchers: tuple[tuple[str, str], ...]


def alerts() -> list[dict[str, Any]]:
    """The alerts, in the order of the file."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [alert for group in groups for alert in group["rules"]]


def panels(file: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard, without its rows."""
    return [panel for panel in json.loads(file.read_text())["panels"] if panel["type"] != "row"]


@cache
def expressions() -> dict[str, str]:
    """Place → expression, with Grafana's variables filled in."""
    found = {alert["alert"]: alert["expr"] for alert in alerts()}
    for file in DASHBOARDS:
        for panel in panels(file):
            for target in panel["targets"]:
                text = target["expr"].replace("$__rate_interval", "5m")
                found[f"{file.name}: {panel['title']} {target['refId']}"] = re.sub(r"\$(namespace|service)", ".*", text)
    return found


@cache
def used() -> list[Used]:
    """Every metric of every expression."""
    return [
        Used(where, match[0].partition("{")[0], tuple(_MATCHER.findall(match[1] or "")))
        for where, text in expressions().items()
        for match in _SELECTOR.finditer(text)
    ]


@cache
def series() -> dict[str, set[str]]:
    """Series that the processes of all services show, each with its own labels."""
    for service in SERVICES:
        package = service.replace("-", "_")
        for module in ("app", "worker"):
            importlib.import_module(f"{package}.{module}")
    found: dict[str, set[str]] = {"up": set()}
    for name, collector in REGISTRY._names_to_collectors.items():
        labels = set(getattr(collector, "_labelnames", ()))
        found[name] = labels | {"le"} if name.endswith("_bucket") else labels
    return found


@cache
def waiting_kinds() -> set[str]:
    """The kinds of the services' views `waiting`, out of their migrations."""
    files = [*ROOT.glob("shared/proforma/*.py"), *ROOT.glob("services/*/migrations/versions/*.py")]
    text = "\n".join(file.read_text() for file in files)
    views = re.findall(r"create (?:or replace )?view \w*waiting as(.*?);", text, re.S)
    kinds = {kind for view in views for kind in re.findall(r"select '([a-z_]+)'(?: as kind)?,", view)}
    # The kind of an invoice that is not posted is made of its column.
    if any("select 'posting_' || posting" in view for view in views):
        kinds |= {"posting_pending", "posting_blocked"}
    return kinds
