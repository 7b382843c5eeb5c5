"""Alerts and dashboards speak of what the code has, every alert has its runbook, nothing waits without an alert."""

import importlib
import importlib.util
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import APIRouter
from fastapi.routing import APIRoute

from proforma.admin import admin_routers
from proforma.events import billing_backlog, invoicing, scheduler, time_expense
from proforma.handlers import Handlers
from proforma.health import health_router
from tests.deploy.chart import ROOT, SERVICES
from tests.deploy.expressions import (
    DASHBOARDS,
    PROMETHEUS,
    TARGET_LABELS,
    alerts,
    expressions,
    panels,
    series,
    used,
    waiting_kinds,
)

RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
pytestmark = pytest.mark.xdist_group("chart")

SEVERITIES = {"critical", "warning", "info"}


def anchors(page: str) -> list[str]:
    """The addresses of a page's sections."""
    return [
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", page, re.M)
    ]


def test_every_metric_is_one_that_the_code_has() -> None:
    unknown = {one.metric for one in used()} - set(series())
    assert {one: [use.where for use in used() if use.metric == one] for one in unknown} == {}


def test_every_label_is_one_of_its_metric() -> None:
    known = series()
    wrong = [
        (one.where, one.metric, label)
        for one in used()
        for label, _ in one.matchers
        if label not in known[one.metric] | TARGET_LABELS
    ]
    assert wrong == []


def test_labels_that_sums_keep_are_those_of_the_metrics() -> None:
    known = series()
    for where, text in expressions().items():
        metrics = {one.metric for one in used() if one.where == where}
        labels = {"le"}.union(TARGET_LABELS, *(known[metric] for metric in metrics))
        kept = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", text) for label in group.split(",")}
        assert kept <= labels, where


def test_every_kind_of_an_expression_waits_and_every_event_type_is_sent() -> None:
    kinds, types = waiting_kinds(), set(event_types())
    assert len(kinds) > 5
    for one in used():
        for label, value in one.matchers:
            if label == "kind" and one.metric.startswith("proforma_waiting"):
                assert set(value.split("|")) <= kinds, one
            if label == "type":
                assert value in types, one


def event_types() -> list[str]:
    """The types of all events."""
    modules = (time_expense, billing_backlog, invoicing, scheduler)
    classes = [one for module in modules for _, one in inspect.getmembers(module, inspect.isclass)]
    return [one.TYPE for one in classes if hasattr(one, "TYPE")]


def test_nothing_waits_without_an_alert() -> None:
    """Design: each waiting state has its row, its gauge and its alert."""
    watched = {
        kind
        for one in used()
        if one.where.startswith("Proforma") and one.metric.startswith("proforma_waiting")
        for label, value in one.matchers
        if label == "kind"
        for kind in value.split("|")
    }
    assert waiting_kinds() - watched == set()


@pytest.mark.skipif(
    importlib.util.find_spec("promql_parser") is None,
    reason="the parser of PromQL is not installed: `make test` installs it",
)
def test_every_expression_is_promql() -> None:
    import promql_parser

    for where, text in expressions().items():
        try:
            promql_parser.parse(text)
        except ValueError as error:
            pytest.fail(f"{where}: {error}\n{text}")
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum(rate(proforma_messages_total[5m])")


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: one["alert"])
def test_every_alert_says_what_how_bad_and_what_to_do(alert: dict[str, Any]) -> None:
    assert set(alert) == {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/runbooks.md", alert["alert"].lower())
    # A label that the expression does not keep would be printed as nothing.
    printed = set(re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])))
    kept = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", alert["expr"]))))
    assert not kept or printed <= kept


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names))
    sections = re.split(r"^### ", RUNBOOKS, flags=re.M)[1:]
    titles = [section.splitlines()[0] for section in sections]
    assert titles == names
    assert set(anchors(RUNBOOKS)) >= {name.lower() for name in names}
    for title, section in zip(titles, sections, strict=True):
        for part in ("**Means.**", "**Look.**", "**Do.**"):
            assert part in section, f"{title} lacks {part}"


def test_every_alert_is_played() -> None:
    """`promtool test rules` plays them where it is installed: deploy/helm/check.sh."""
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    for test in tests:
        quiet, firing = test["promql_expr_test"]
        assert test["name"] in quiet["expr"]
        assert test["name"] in firing["expr"]
        assert quiet["exp_samples"] == []
        assert firing["exp_samples"] != []
    assert [test["name"] for test in tests] == [alert["alert"] for alert in alerts()]


def test_prometheus_asks_every_process_and_names_it_as_the_alerts_do() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (job,) = [one for one in config["scrape_configs"] if one["job_name"] == "proforma"]
    names = job["dns_sd_configs"][0]["names"]
    assert set(names) == {f"{service}-{role}" for service in SERVICES for role in ("api", "worker")}
    for name in names:
        labels = {
            rule["target_label"]: re.sub(f"^{rule['regex']}$", rule["replacement"].replace("$", "\\"), name)
            for rule in job["relabel_configs"]
        }
        assert f"{labels['service']}-{labels['role']}" == name
    assert config["rule_files"] == ["alerts.yml"]


def test_there_are_four_dashboards() -> None:
    assert [file.stem for file in DASHBOARDS] == ["http", "kafka", "money-flow", "runs"]
    assert len({json.loads(file.read_text())["uid"] for file in DASHBOARDS}) == 4


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_can_be_read_anywhere(file: Path) -> None:
    board = json.loads(file.read_text())
    assert len(board["panels"]) == len({panel["id"] for panel in board["panels"]})
    variables = {one["name"] for one in board["templating"]["list"]}
    for panel in panels(file):
        assert panel["description"], panel["title"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        # Not the uid of the server on which it was made.
        assert {one["uid"] for one in sources} == {"${datasource}"}
        asked = set(re.findall(r"\$(\w+)", " ".join(target["expr"] for target in panel["targets"])))
        assert asked - {"__rate_interval"} <= variables, panel["title"]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


def test_the_runbooks_name_calls_that_there_are() -> None:
    known = {
        f"{method} {re.sub(r'{[^}]*}', '{}', route.path)}"
        for router in routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    named = {re.sub(r"<[^>]*>", "{}", call) for call in re.findall(r"`((?:GET|POST) /[\w/<>.-]*[\w>])[`?]", RUNBOOKS)}
    assert len(named) > 10
    assert named - known == set()


def routers() -> Iterator[APIRouter]:
    """The routers of all services. Not their OpenAPI documents: those take seconds to make."""
    yield health_router()
    yield from admin_routers(Handlers())
    for service in SERVICES:
        for file in ROOT.glob(f"services/{service}/*/*/routes.py"):
            module = importlib.import_module(f"{file.parts[-3]}.{file.parts[-2]}.routes")
            yield from (one for _, one in inspect.getmembers(module, lambda it: isinstance(it, APIRouter)))
