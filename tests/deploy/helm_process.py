"""Helm's library in a process of its own: Go's runtime brings threads and signal handlers that tests do not expect.

Reads `{"command": "render" | "lint", "chart", "values"}` and writes the answer, both JSON.
"""

import json
import sys
from typing import Any

import helm_python

RELEASE, NAMESPACE = "rel", "billing"


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["command"] == "lint":
        report = helm_python.lint(asked["chart"], asked["values"], strict=True, namespace=NAMESPACE)
        return {"messages": report["messages"], "errors": report["errors"]}
    try:
        with helm_python.Chart.load(asked["chart"]) as chart:
            chart.validate_schema(asked["values"])
            return {"files": chart.render(asked["values"], name=RELEASE, namespace=NAMESPACE)}
    except helm_python.HelmError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
