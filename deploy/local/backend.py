"""The PostgreSQL and the Kafka that tests run on.

Addresses given in the environment (`POSTGRES`, `KAFKA`) come first; then containers with
`BACKEND=docker`; else the embedded servers, in a folder of their own and on free ports, so that a
running stack is not disturbed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local.kafka import Kafka
from local.kafka import answers as kafka_answers
from local.postgres import Postgres, blocking
from local.postgres import answers as postgres_answers
from local.processes import HOST, LocalError, free_port, wait_until

POSTGRES_IMAGE = "postgres:17"
KAFKA_IMAGE = "apache/kafka:4.1.0"
FOLDER_PREFIX = "proforma-test-"
CONTAINER_SECONDS = 60


@dataclass
class Backend:
    """Where the servers are, what they are in words, and how to end what was started."""

    postgres: str
    kafka: str
    description: str
    container_host: str = HOST
    _endings: list[Callable[[], object]] = field(default_factory=list, repr=False)

    def stop(self) -> None:
        """End what `start_backend` started, the newest first. Given addresses are left alone."""
        while self._endings:
            self._endings.pop()()


def start_backend(environment: Mapping[str, str] = os.environ) -> Backend:
    """Start what the environment does not give."""
    backend = Backend(environment.get("POSTGRES", ""), environment.get("KAFKA", ""), "")
    kind = environment.get("BACKEND", "embedded")
    if kind not in {"embedded", "docker"}:
        raise LocalError(f"BACKEND is {kind!r}; it can be embedded or docker")
    docker = kind == "docker"
    words = []
    try:
        if backend.postgres:
            words.append("PostgreSQL: given address")
        elif docker:
            words.append(_postgres_container(backend))
        else:
            words.append(_embedded_postgres(backend))
        if backend.kafka:
            words.append("Kafka: given address")
        elif docker:
            words.append(_kafka_container(backend))
        else:
            words.append(_embedded_kafka(backend))
    except BaseException:
        backend.stop()
        raise
    backend.description = ", ".join(words)
    return backend


def _embedded_postgres(backend: Backend) -> str:
    server = Postgres(_folder(backend) / "postgres", durable=False, die_with_parent=True)
    backend._endings.append(server.stop)
    backend.postgres = server.start()
    return "PostgreSQL: embedded"


def _embedded_kafka(backend: Backend) -> str:
    server = Kafka(_folder(backend) / "kafka", durable=False, die_with_parent=True)
    backend._endings.append(server.stop)
    backend.kafka = server.start()
    return "Kafka: embedded"


def _folder(backend: Backend) -> Path:
    """A folder that goes with the backend. Its name holds our pid: what a killed run left is swept by the next."""
    base = Path(tempfile.gettempdir())
    for left in base.glob(f"{FOLDER_PREFIX}*"):
        owner = left.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=base))
    backend._endings.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def _postgres_container(backend: Backend) -> str:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 (slow, rarely needed)

    container = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_PASSWORD", "proforma")
        .with_exposed_ports(5432)
        .with_command("postgres -c max_connections=300 -c fsync=off -c synchronous_commit=off")
    )
    container.start()
    backend._endings.append(container.stop)
    backend.container_host = container.get_container_host_ip()
    address = f"{backend.container_host}:{container.get_exposed_port(5432)}"
    backend.postgres = f"postgresql://postgres:proforma@{address}/postgres"
    # The image starts the server twice; the first one listens on no port.
    if not wait_until(lambda: blocking(postgres_answers(backend.postgres)), CONTAINER_SECONDS):
        raise LocalError(f"{POSTGRES_IMAGE} does not answer\n{container.get_logs()}")
    return f"PostgreSQL: container {POSTGRES_IMAGE}"


def _kafka_container(backend: Backend) -> str:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 (slow, rarely needed)

    # Kafka tells its clients its own address, so that must be known before it starts. Where the engine's ports
    # appear (not on loopback when we are in a container ourselves) is seen from the container before.
    host, port = backend.container_host, free_port()
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    for name, value in _kafka_environment(f"{host}:{port}").items():
        container.with_env(name, value)
    container.start()
    backend._endings.append(container.stop)
    backend.kafka = f"{host}:{port}"
    if not wait_until(lambda: kafka_answers(backend.kafka), CONTAINER_SECONDS):
        raise LocalError(f"{KAFKA_IMAGE} does not answer\n{container.get_logs()}")
    return f"Kafka: container {KAFKA_IMAGE}"


def _kafka_environment(address: str) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{address}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
