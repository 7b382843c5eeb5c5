#!/bin/sh
# The chart and the alerts by the programs that operators use, where they are on this machine. The tests in tests/deploy
# check the same with Python alone, before this.
set -eu
cd "$(dirname "$0")/../.."
chart=deploy/helm/proforma
rules=deploy/observability/prometheus

if command -v helm >/dev/null; then
  for values in "$chart/values.yaml" "$chart/ci/full-values.yaml"; do
    helm lint --quiet --strict "$chart" --values "$values"
    helm template checked "$chart" --values "$values" --kube-version 1.31 | .venv/bin/python -m tests.deploy.manifests
  done
  echo "helm $(helm version --short): the chart passes, with its defaults and with everything switched on"
else
  echo "helm is not here and was not run: the chart was rendered and checked by Helm's library alone"
fi

if command -v promtool >/dev/null; then
  promtool check config "$rules/prometheus.yml" >/dev/null
  promtool test rules "$rules/alerts_test.yml" >/dev/null
  echo "promtool: the configuration is valid and each alert fires when it should and not before"
else
  echo "promtool is not here and was not run: the alerts were parsed, not played"
fi
