"""What a rendered manifest is held to: the schemas of Kubernetes, and the restricted profile of pod security.

`python -m tests.deploy.manifests` checks what it reads, for the manifests that the program `helm` renders.
"""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Manifest = Mapping[str, Any]

# The oldest version that Chart.yaml allows, and the newest whose schemas the library has.
VERSIONS = ("1.27", "1.37")
# Resources of operators; no schema of Kubernetes knows them.
FOREIGN = {
    "keda.sh/v1alpha1": {"ScaledObject", "TriggerAuthentication"},
    "monitoring.coreos.com/v1": {"ServiceMonitor", "PodMonitor", "PrometheusRule"},
}
VOLUMES_ALLOWED = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def schema_problems(manifests: list[Manifest]) -> list[str]:
    """Where a manifest is not what Kubernetes takes; a field that it does not know counts, too."""
    return [
        f"{one['kind']} {one['metadata']['name']} ({version}): {error.message}"
        for one in manifests
        if one["kind"] not in FOREIGN.get(one["apiVersion"], ())
        for version in VERSIONS
        for error in _validator(version, one["kind"], one["apiVersion"]).iter_errors(one)
    ]


def _schemas(version: str) -> Path:
    found = importlib.util.find_spec("kubernetes_validate")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / f"kubernetes-json-schema/v{version}.0-local-strict"


@cache
def _definitions(version: str) -> Any:
    from referencing import Registry, Resource

    # kubernetes_validate itself reads these megabytes again for each manifest.
    return Resource.from_contents(json.loads((_schemas(version) / "_definitions.json").read_text())) @ Registry()


@cache
def _validator(version: str, kind: str, api_version: str) -> Any:
    from jsonschema import Draft202012Validator

    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    file = _schemas(version) / f"{kind.lower()}-{group}.json"
    return Draft202012Validator(json.loads(file.read_text()), registry=_definitions(version))


def restricted_problems(manifests: list[Manifest]) -> list[str]:
    """What the admission of a namespace with `pod-security.kubernetes.io/enforce: restricted` would refuse."""
    return [
        f"{one['kind']} {one['metadata']['name']}: {problem}"
        for one in manifests
        if "template" in one.get("spec", {})
        for problem in _pod_problems(one["spec"]["template"]["spec"])
    ]


def _pod_problems(pod: Manifest) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= VOLUMES_ALLOWED:
            yield f"volume {volume['name']} is of a kind that is not allowed"
    own = pod.get("securityContext", {})
    if own.get("sysctls"):
        yield "sysctls"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for problem in _container_problems(container, own):
            yield f"container {container['name']}: {problem}"


def _container_problems(container: Manifest, pod: Manifest) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    as_root = 0 in (own.get("runAsUser"), pod.get("runAsUser"))
    if as_root or own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "may run as root"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccomp profile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "keeps capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "sees all of /proc"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the node"


if __name__ == "__main__":
    read = [one for one in yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader) if one]
    problems = schema_problems(read) + restricted_problems(read)
    sys.exit("\n".join(problems) if problems or not read else 0)
