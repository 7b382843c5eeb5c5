"""What each pod may reach, and with which credentials."""

import copy
from typing import Any

import pytest

from proforma.settings import Limits, ServiceSettings
from tests.deploy.chart import (
    DEFAULTS,
    FULL,
    ROOT,
    SERVICES,
    Manifest,
    NotRendered,
    container,
    environment,
    needs_helm,
    of_kind,
    pods,
    render,
)

pytestmark = [needs_helm, pytest.mark.xdist_group("chart")]

ROLES = {"api", "worker", "migrate", "topics"}


def folders(pod: Manifest) -> dict[str, tuple[str, dict[str, str]]]:
    """Mounted secrets: folder → (secret, file → key)."""
    mounts = {one["name"]: one["mountPath"] for one in container(pod)["volumeMounts"]}
    return {
        mounts[one["name"]]: (
            one["secret"]["secretName"], {item["path"]: item["key"] for item in one["secret"]["items"]},
        )
        for one in pod["spec"]["volumes"]
        if "secret" in one
    }  # fmt: skip


@pytest.mark.parametrize("values", [{}, FULL], ids=["default", "full"])
def test_every_variable_is_one_that_the_services_read(values: dict[str, Any]) -> None:
    known = {f"PROFORMA_{name.upper()}" for name in ServiceSettings.model_fields}
    known |= {f"PROFORMA_LIMITS__{name.upper()}" for name in Limits.model_fields}
    for name, pod in pods(render(values)).items():
        ours = {variable for variable in environment(pod) if variable.startswith("PROFORMA_")}
        assert ours <= known, name
        # A file that a variable names is one of a secret that is mounted.
        files = {f"{folder}/{file}" for folder, (_, items) in folders(pod).items() for file in items}
        named = {value for variable, value in environment(pod).items() if variable.endswith("_FILE")}
        assert named <= files, name


@pytest.mark.parametrize("values", [{}, FULL], ids=["default", "full"])
def test_what_a_pod_is_told_is_what_a_service_takes(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the services are made of the variables of the pods, but for files that are only in the pod."""
    for pod in pods(render(values)).values():
        variables = environment(pod)
        if container(pod)["args"][0] == "proforma":
            continue
        with monkeypatch.context() as patched:
            for variable, value in variables.items():
                if not variable.endswith("_FILE"):
                    patched.setenv(variable, value)
            patched.setenv("PROFORMA_KAFKA_SECURITY", "plaintext")
            patched.delenv("PROFORMA_KAFKA_USERNAME", raising=False)
            patched.setenv("PROFORMA_AUTH_JWKS_URL", "https://id.example.com/keys")
            settings = ServiceSettings()
        assert (settings.port, settings.worker_port, settings.host) == (8000, 8010, "0.0.0.0")  # noqa: S104
        assert settings.pool_size == (16 if values else 8)
        assert settings.limits.batch_max == (500 if values else 1_000)
        assert settings.limits.upload_bytes_max == 4 * 1024**3


def test_kafka_is_plain_unless_something_else_is_said() -> None:
    for pod in pods(render({})).values():
        said = {name: value for name, value in environment(pod).items() if name.startswith("PROFORMA_KAFKA")}
        assert said == {"PROFORMA_KAFKA": "kafka:9092", "PROFORMA_KAFKA_SECURITY": "plaintext"}


@pytest.mark.parametrize(
    ("pod", "login", "certificate"),
    [
        ("time-expense-api", "time-expense-kafka", "time-expense-kafka-tls"),
        ("time-expense-migrate", "time-expense-kafka", "time-expense-kafka-tls"),
        ("billing-backlog-worker", "billing-backlog-kafka", "kafka-client"),
        ("invoicing-worker", "proforma-kafka", "kafka-client"),
        ("kafka-topics", "kafka-admin", "kafka-admin-tls"),
    ],
)
def test_each_logs_in_to_kafka_as_itself(pod: str, login: str, certificate: str) -> None:
    found = pods(render(FULL))[pod]
    said = environment(found)
    assert said["PROFORMA_KAFKA_SECURITY"] == "sasl_tls"
    assert said["PROFORMA_KAFKA_SASL_MECHANISM"] == "SCRAM-SHA-256"
    assert said["PROFORMA_KAFKA_USERNAME"] == f"{login}/username"
    # The password is a file: what is in the environment ends up in crash reports.
    assert "PROFORMA_KAFKA_PASSWORD" not in said
    mounted = folders(found)
    assert mounted["/etc/proforma/kafka-sasl"] == (login, {"password": "password"})
    assert mounted["/etc/proforma/kafka-client"] == (certificate, {"tls.crt": "tls.crt", "tls.key": "tls.key"})
    assert mounted["/etc/proforma/kafka-ca"] == ("kafka-ca", {"ca.crt": "ca.crt"})


@pytest.mark.parametrize(
    ("security", "tls", "sasl"),
    [("tls", True, False), ("sasl_plaintext", False, True), ("sasl_tls", True, True)],
)
def test_nothing_of_kafkas_security_is_said_in_vain(security: str, tls: bool, sasl: bool) -> None:
    values: dict[str, Any] = {"kafka": {"security": security, "sasl": {"existingSecret": "login"}}}
    if tls:
        values["kafka"]["tls"] = {"caSecret": {"name": "ca"}, "clientSecret": {"name": "client"}}
    for pod in pods(render(values)).values():
        said = environment(pod)
        assert {"PROFORMA_KAFKA_CA_FILE", "PROFORMA_KAFKA_CERT_FILE", "PROFORMA_KAFKA_KEY_FILE"} <= set(said) or not tls
        assert ("PROFORMA_KAFKA_CA_FILE" in said) == tls
        assert ("PROFORMA_KAFKA_USERNAME" in said) == ("PROFORMA_KAFKA_PASSWORD_FILE" in said) == sasl


def test_keda_asks_kafka_with_the_login_of_the_service() -> None:
    manifests = render(FULL)
    logins = of_kind(manifests, "TriggerAuthentication")
    for name, one in of_kind(manifests, "ScaledObject").items():
        given = {ref["parameter"]: ref["name"] for ref in logins[name]["spec"]["secretTargetRef"]}
        said = environment(pods(manifests)[name])
        assert f"{given['username']}/username" == said["PROFORMA_KAFKA_USERNAME"]
        assert set(given) == {"username", "password", "ca", "cert", "key"}
        assert {trigger["metadata"]["sasl"] for trigger in one["spec"]["triggers"]} == {"scram_sha256"}
        assert {trigger["authenticationRef"]["name"] for trigger in one["spec"]["triggers"]} == {f"rel-proforma-{name}"}


def ports(manifests: list[Manifest], role: str, direction: str) -> set[tuple[int, str]]:
    """What the policies let a role's pods do: (port, protocol)."""
    pod = {"app.kubernetes.io/name": "proforma", "app.kubernetes.io/instance": "rel", "proforma/role": role}
    return {
        (port["port"], port["protocol"])
        for policy in of_kind(manifests, "NetworkPolicy").values()
        if takes(policy["spec"]["podSelector"], pod)
        for rule in policy["spec"].get(direction, [])
        for port in rule["ports"]
    }


def takes(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector takes a pod with these labels."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels[one["key"]] in one["values"] for one in selector.get("matchExpressions", [])
    )


DNS = {(53, "UDP"), (53, "TCP")}


def test_nothing_goes_in_or_out_but_what_is_needed() -> None:
    manifests = render(FULL)
    kafka, postgres, jwks, otlp = {(9094, "TCP")}, {(5432, "TCP")}, {(443, "TCP")}, {(4318, "TCP")}
    extra = {(8080, "TCP")}
    deny = of_kind(manifests, "NetworkPolicy")["deny"]["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    assert all(takes(deny["podSelector"], pod["metadata"]["labels"]) for pod in pods(manifests).values())
    everybody = DNS | kafka | otlp | extra
    assert ports(manifests, "api", "egress") == everybody | postgres | jwks
    assert ports(manifests, "worker", "egress") == everybody | postgres
    assert ports(manifests, "migrate", "egress") == everybody | postgres
    assert ports(manifests, "topics", "egress") == everybody
    assert {role: ports(manifests, role, "ingress") for role in ROLES} == {
        "api": {(8000, "TCP")}, "worker": {(8010, "TCP")}, "migrate": set(), "topics": set(),
    }  # fmt: skip


def test_without_an_identity_provider_and_traces_nobody_may_call_them() -> None:
    manifests = render({})
    assert not {443, 4318} & {port for role in ROLES for port, _ in ports(manifests, role, "egress")}
    assert of_kind(render({"networkPolicy": {"enabled": False}}), "NetworkPolicy") == {}


def test_no_secret_is_made_unless_asked_for() -> None:
    assert of_kind(render({}), "Secret") == of_kind(render(FULL), "Secret") == {}


def test_for_trying_it_out_all_secrets_are_made_before_the_jobs_need_them() -> None:
    values: dict[str, Any] = {
        "kafka": {"security": "sasl_plaintext", "sasl": {"existingSecret": "login"}},
        "secrets": {
            "create": True,
            "databases": {
                name: {"url": f"postgresql://{name}", "ownerUrl": f"postgresql://o{name}"} for name in SERVICES
            },
            "authPublicKey": "-----BEGIN PUBLIC KEY-----",
            "kafka": {"username": "u", "password": "p"},
        },
    }
    manifests = render(values)
    made = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "Secret"}
    for pod in pods(manifests).values():
        wanted = [tuple(value.split("/")) for value in environment(pod).values() if value.count("/") == 1]
        wanted += [(secret, key) for secret, items in folders(pod).values() for key in items.values()]
        assert wanted
        assert all(key in made[secret]["stringData"] for secret, key in wanted if secret in made), wanted
        assert {secret for secret, _ in folders(pod).values()} <= set(made)
    assert all(int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0 for one in made.values())
    without = copy.deepcopy(values)
    del without["secrets"]["databases"]["invoicing"]
    with pytest.raises(NotRendered, match=r"secrets\.databases\.invoicing"):
        render(without)


def test_the_passwords_of_the_values_are_empty() -> None:
    assert DEFAULTS["secrets"] == {"create": False, "databases": {}, "authPublicKey": "", "kafka": {}}


def test_monitors_name_a_process_as_the_alerts_do() -> None:
    manifests = render(FULL)
    for kind, endpoints, role in (
        ("ServiceMonitor", "endpoints", "api"),
        ("PodMonitor", "podMetricsEndpoints", "worker"),
    ):
        (monitor,) = of_kind(manifests, kind).values()
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["selector"]["matchLabels"]["proforma/role"] == role
        (endpoint,) = monitor["spec"][endpoints]
        assert {one["targetLabel"] for one in endpoint["relabelings"]} == {"service", "role"}
        scraped = [
            pod for pod in pods(manifests).values() if takes(monitor["spec"]["selector"], pod["metadata"]["labels"])
        ]
        assert len(scraped) == len(SERVICES)
        assert {container(pod)["ports"][0]["name"] for pod in scraped} == {endpoint["port"]}


def test_the_rules_of_the_chart_are_the_alerts_of_the_repository() -> None:
    source = ROOT / "deploy/observability/prometheus/alerts.yml"
    copied = ROOT / "deploy/helm/proforma/files/alerts.yml"
    assert copied.read_text() == source.read_text(), f"cp {source.relative_to(ROOT)} {copied.relative_to(ROOT)}"
    (rule,) = of_kind(render(FULL), "PrometheusRule").values()
    alerts = [alert for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert alerts
    for alert in alerts:
        assert alert["annotations"]["runbook_url"].startswith("https://docs.example.com/proforma/runbooks#")
