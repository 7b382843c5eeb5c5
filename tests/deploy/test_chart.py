"""The chart as Kubernetes gets it: valid, restricted, and each process with what it needs and no more."""

import copy
import re
from typing import Any

import pytest

from proforma.service import Service
from proforma.topics import TOPICS
from tests.deploy.chart import (
    CHART,
    DEFAULTS,
    FULL,
    SERVICES,
    Manifest,
    NotRendered,
    container,
    environment,
    lint,
    needs_helm,
    notes,
    of_kind,
    pods,
    render,
)
from tests.deploy.manifests import restricted_problems, schema_problems

pytestmark = [needs_helm, pytest.mark.xdist_group("chart")]

both = pytest.mark.parametrize("values", [{}, FULL], ids=["default", "full"])


def service_of(name: str) -> Service:
    """The service's own description of itself."""
    import importlib

    found: Service = importlib.import_module(f"{name.replace('-', '_')}.__main__").SERVICE
    return found


@both
def test_helm_finds_nothing_to_complain_about(values: dict[str, Any]) -> None:
    assert lint(values) == []


@both
def test_every_manifest_is_valid_for_kubernetes(values: dict[str, Any]) -> None:
    manifests = render(values)
    assert schema_problems(manifests) == []
    assert len(pods(manifests)) == 2 * len(SERVICES) + len(SERVICES) + 1


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    (service, *_) = of_kind(render({}), "Service").values()
    wrong = {**service, "spec": {**service["spec"], "selctor": {}}}
    assert len(schema_problems([wrong])) == 2


@both
def test_every_pod_passes_the_restricted_profile(values: dict[str, Any]) -> None:
    assert restricted_problems(render(values)) == []


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("container", {"allowPrivilegeEscalation": True}),
        ("container", {"capabilities": {"drop": ["NET_RAW"]}}),
        ("container", {"runAsNonRoot": False}),
        ("container", {"seccompProfile": {"type": "Unconfined"}}),
        ("pod", {"hostNetwork": True}),
        ("pod", {"volumes": [{"name": "all", "hostPath": {"path": "/"}}]}),
    ],
)
def test_a_pod_outside_of_the_profile_is_found(where: str, wrong: dict[str, Any]) -> None:
    deployment: Any = copy.deepcopy(of_kind(render({}), "Deployment")["invoicing-api"])
    pod = deployment["spec"]["template"]["spec"]
    (pod if where == "pod" else pod["containers"][0]["securityContext"]).update(wrong)
    assert len(restricted_problems([deployment])) == 1


@both
def test_no_pod_can_write_outside_of_tmp_or_talk_to_kubernetes(values: dict[str, Any]) -> None:
    for name, pod in pods(render(values)).items():
        mounts = container(pod)["volumeMounts"]
        assert container(pod)["securityContext"]["readOnlyRootFilesystem"], name
        assert [one["mountPath"] for one in mounts if not one.get("readOnly")] == ["/tmp"], name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        # Else a Service called proforma would become PROFORMA_PORT=tcp://…
        assert pod["spec"]["enableServiceLinks"] is False, name


@both
def test_every_process_runs_its_command_with_probes_on_its_port(values: dict[str, Any]) -> None:
    for name, deployment in of_kind(render(values), "Deployment").items():
        service, role = name.rsplit("-", 1)
        pod = deployment["spec"]["template"]
        assert container(pod)["args"] == [service, role]
        (port,) = container(pod)["ports"]
        variable = "PROFORMA_PORT" if role == "api" else "PROFORMA_WORKER_PORT"
        assert environment(pod)[variable] == str(port["containerPort"])
        probes = {kind: container(pod)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {one["port"] for one in probes.values()} == {port["name"]}
        assert probes["readiness"]["path"] == "/health/ready"
        assert probes["liveness"]["path"] == probes["startup"]["path"] == "/health/live"
        # What a stop takes is 10 s at the most, beside the pause before it.
        pause = container(pod).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        assert pod["spec"]["terminationGracePeriodSeconds"] >= int(pause[1]) + 10
        assert {"requests", "limits"} <= set(container(pod)["resources"])


@both
def test_only_migration_jobs_hold_the_owners_login(values: dict[str, Any]) -> None:
    for name, pod in pods(render(values)).items():
        secrets = {one for key, one in environment(pod).items() if key == "PROFORMA_MIGRATION_DATABASE_URL"}
        service = name.removesuffix("-migrate")
        assert secrets == ({f"proforma-{service}-db-owner/url"} if name.endswith("-migrate") else set())
        if service in SERVICES:
            assert environment(pod)["PROFORMA_DATABASE_URL"] == f"proforma-{service}-db/url"


@both
def test_jobs_run_before_the_pods_of_a_release(values: dict[str, Any]) -> None:
    jobs = of_kind(render(values), "Job")
    assert set(jobs) == {"kafka-topics", *(f"{service}-migrate" for service in SERVICES)}
    for name, job in jobs.items():
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        # The chart's own account does not exist yet.
        assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default"
        if name != "kafka-topics":
            assert container(job["spec"]["template"])["args"] == [name.removesuffix("-migrate"), "migrate"]
    topics = container(jobs["kafka-topics"]["spec"]["template"])
    assert topics["args"] == ["proforma", "create-topics", "--replication", "3"]
    assert not any(one["name"].startswith("PROFORMA_DATABASE") for one in topics["env"])


def test_the_version_is_that_of_the_services() -> None:
    version = re.search(r'^version = "(.+)"$', (CHART.parents[2] / "shared/pyproject.toml").read_text(), re.M)
    assert version
    assert f'appVersion: "{version[1]}"' in (CHART / "Chart.yaml").read_text()


def selected(manifests: list[Manifest], selector: Manifest) -> set[str]:
    """Names of the Deployments whose pods a selector takes."""
    wanted = selector.get("matchLabels", selector).items()
    return {
        name
        for name, one in of_kind(manifests, "Deployment").items()
        if wanted <= one["spec"]["template"]["metadata"]["labels"].items()
    }


@both
def test_every_selector_takes_the_pods_it_is_meant_for(values: dict[str, Any]) -> None:
    manifests = render(values)
    everybody = set(of_kind(manifests, "Deployment"))
    assert len(everybody) == 8
    for kind in ("Deployment", "PodDisruptionBudget"):
        found = of_kind(manifests, kind)
        assert set(found) == everybody
        assert all(selected(manifests, one["spec"]["selector"]) == {name} for name, one in found.items())
    for name, one in of_kind(manifests, "Service").items():
        assert selected(manifests, one["spec"]["selector"]) == {name}
    for one in of_kind(manifests, "Deployment").values():
        for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"] == one["spec"]["selector"]


def test_apis_scale_by_cpu_and_workers_by_the_lag_of_what_they_read() -> None:
    manifests = render(FULL)
    deployments = of_kind(manifests, "Deployment")
    scaled = of_kind(manifests, "HorizontalPodAutoscaler") | of_kind(manifests, "ScaledObject")
    assert set(scaled) == set(deployments) - {"scheduler-api", "scheduler-worker"}
    for name, one in deployments.items():
        # An autoscaler and a number of replicas would take turns at every upgrade.
        assert ("replicas" in one["spec"]) != (name in scaled)
    for name, one in of_kind(manifests, "ScaledObject").items():
        triggers = [trigger["metadata"] for trigger in one["spec"]["triggers"]]
        service = service_of(name.removesuffix("-worker"))
        assert {trigger["topic"] for trigger in triggers} == {f"prod.{topic}" for topic in topics_of(service)}
        assert {trigger["consumerGroup"] for trigger in triggers} == {f"prod.proforma.{service.name}"}
        assert one["spec"]["minReplicaCount"] >= 1


def topics_of(service: Service) -> set[str]:
    """What the service's worker reads."""
    import importlib

    handlers = importlib.import_module(f"{service.name.replace('-', '_')}.worker").HANDLERS
    return set(handlers.topics)


def test_the_topics_in_the_chart_are_those_that_the_workers_read() -> None:
    on = {"worker": {"keda": {"enabled": True}}}
    for name, one in of_kind(render(on), "ScaledObject").items():
        read = {trigger["metadata"]["topic"] for trigger in one["spec"]["triggers"]}
        assert read == topics_of(service_of(name.removesuffix("-worker")))
        assert read <= {topic.name for topic in TOPICS}


def test_a_service_that_runs_elsewhere_leaves_nothing_behind() -> None:
    manifests = render({"services": {"scheduler": {"enabled": False}}})
    assert [one for one in manifests if "scheduler" in one["metadata"]["name"]] == []
    assert len(pods(manifests)) == 3 * 3 + 1


def test_the_notes_name_every_secret_that_must_exist() -> None:
    text = notes({})
    for service in SERVICES:
        database = DEFAULTS["services"][service]["database"]
        assert database["existingSecret"] in text
        assert database["ownerExistingSecret"] in text
    assert "proforma-auth" in text


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kafka": {"security": "sasl_tls"}}, "set kafka.sasl.existingSecret or services."),
        ({"kafka": {"tls": {"caSecret": {"name": "ca"}}}}, "kafka.security is neither tls nor sasl_tls"),
        ({"auth": {"publicKey": {"existingSecret": ""}}}, "no service starts without auth"),
        ({"ingress": {"enabled": True}}, "set ingress.hosts"),
        ({"worker": {"keda": {"minReplicas": 0}}}, "minReplicas"),
        ({"kafka": {"sasl": {"mechanism": "GSSAPI"}}}, "mechanism"),
        ({"services": {"time_expense": {}}}, "time_expense"),
        ({"replicas": 3}, "replicas"),
    ],
)
def test_values_that_cannot_work_are_refused_with_what_to_set(values: dict[str, Any], says: str) -> None:
    with pytest.raises(NotRendered, match=re.escape(says)):
        render(values)
