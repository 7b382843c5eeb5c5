"""The services as processes: an api and a worker each, and their migrations before."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.databases import SERVICES, ServiceDatabase
from local.keys import AUDIENCE, ISSUER
from local.processes import HOST, LocalError, PidFile, Running, free_port, listening, spawn, tail, wait_until

USUAL_PORTS = {f"{service}-api": 8001 + index for index, service in enumerate(SERVICES)}
USUAL_PORTS |= {f"{service}-worker": 8011 + index for index, service in enumerate(SERVICES)}
# Limits against waiting for ever, not expectations: a machine with other work takes ten times as long as an idle one.
COMMAND_SECONDS = 300
READY_SECONDS = 120
STOP_SECONDS = 30
PROBE_SECONDS = 2.0
PORT_SECONDS = 2.0


@dataclass(frozen=True)
class World:
    """What every service process is told about where it is."""

    folder: Path
    kafka: str
    databases: Mapping[str, ServiceDatabase]
    public_key: Path

    def environment(self, service: str) -> dict[str, str]:
        return {
            # Eight small processes: more than two arenas each only hold memory that nobody uses.
            "MALLOC_ARENA_MAX": "2",
            "PROFORMA_LOG_LEVEL": os.environ.get("PROFORMA_LOG_LEVEL", "INFO"),
            "PROFORMA_HOST": HOST,
            "PROFORMA_KAFKA": self.kafka,
            "PROFORMA_DATABASE_URL": self.databases[service].url,
            "PROFORMA_AUTH_PUBLIC_KEY_FILE": str(self.public_key),
            "PROFORMA_AUTH_ISSUER": ISSUER,
            "PROFORMA_AUTH_AUDIENCE": AUDIENCE,
        }


class PortTaken(LocalError):
    """Somebody took the port between the look at it and the start. Another one may do."""


class Part:
    """One process of a service: its api or its worker. Known over commands by a file with its pid and port."""

    def __init__(self, folder: Path, service: str, kind: str) -> None:
        self.service = service
        self.kind = kind
        self.name = f"{service}-{kind}"
        self.log = folder / "logs" / f"{self.name}.log"
        self._pid_file = PidFile(folder / "run" / f"{self.name}.pid")
        self._facts_file = folder / "run" / f"{self.name}.json"

    @property
    def running(self) -> Running | None:
        return self._pid_file.read()

    @property
    def port(self) -> int:
        """The port that it was started with."""
        return int(self._facts().get("port", 0))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def health_url(self) -> str:
        return f"{self.url}/health/ready"

    def up_to_date(self, environment: Mapping[str, str]) -> bool:
        """Whether it runs, with just this environment. One that was told other addresses must be started again."""
        return self.running is not None and self._facts().get("told") == fingerprint(environment)

    def start(self, environment: Mapping[str, str], taken: frozenset[int]) -> None:
        """Start it on the port it had, or its usual one, or a free one that is not in `taken`."""
        # Its own port may still be closing behind a process that was killed a moment ago.
        patience = PORT_SECONDS if self.port else 0.0
        port = free_port(self.port or USUAL_PORTS[self.name], taken=taken, patience=patience)
        self._facts_file.parent.mkdir(parents=True, exist_ok=True)
        self._facts_file.write_text(json.dumps({"port": port, "told": fingerprint(environment)}))
        variable = "PROFORMA_PORT" if self.kind == "api" else "PROFORMA_WORKER_PORT"
        self._pid_file.write(
            spawn(
                [sys.executable, "-m", SERVICES[self.service], self.kind],
                self.log,
                env={**os.environ, **environment, variable: str(port)},
            )
        )

    def ready(self) -> bool:
        """Whether it says of itself that it can work; somebody else on its port does not speak for it."""
        running = self.running
        return running is not None and answers_ok(self.health_url) and running.listens(self.port)

    def kill(self) -> None:
        """End it as a power cut would. For tests."""
        running = self.running
        if running is not None:
            running.send(signal.SIGKILL)
            running.wait(STOP_SECONDS)

    def forget(self) -> None:
        """It was stopped on purpose: the next start may take the usual port again."""
        self._pid_file.clear()
        self._facts_file.unlink(missing_ok=True)

    def _facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self._facts_file.read_text())
        except (OSError, ValueError):
            return {}
        return facts


def all_parts(folder: Path) -> list[Part]:
    """The eight processes."""
    return [Part(folder, service, kind) for service in SERVICES for kind in ("api", "worker")]


def answers_ok(url: str) -> bool:
    """Whether a GET is answered with 200. Not by httpx, which reads certificates that loopback never needs."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or HOST, parts.port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def stop_parts(parts: Sequence[Part]) -> None:
    """Ask all at once, then wait: each finishes what it has in hand."""
    running = [part.running for part in parts]
    for process in running:
        if process is not None:
            process.send(signal.SIGTERM)
    for part, process in zip(parts, running, strict=True):
        if process is not None and not process.stop(patience=STOP_SECONDS):
            print(f"  {part.name} did not end within {STOP_SECONDS} s and was killed")
        part.forget()


def wait_until_ready(parts: Sequence[Part]) -> None:
    """Wait for all, but not for one that has ended; name those that are not ready.

    Raises PortTaken where a port is all that those which ended lacked.
    """
    waiting = list(parts)

    def settled() -> bool:
        waiting[:] = [part for part in waiting if not part.ready()]
        return not waiting or any(part.running is None for part in waiting)

    wait_until(settled, READY_SECONDS)
    if waiting:
        ended = [part for part in waiting if part.running is None]
        words = "ended while starting" if ended else f"not ready within {READY_SECONDS} s"
        late = ended or waiting
        kind = PortTaken if ended and all(listening(part.port) for part in ended) else LocalError
        raise kind("\n".join([f"{', '.join(p.name for p in late)}: {words}", *(tail(p.log) for p in late)]))


def run_all(commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], logs: Path) -> None:
    """Run commands side by side to their end; those that fail are the error, with the ends of their logs."""
    logs.mkdir(parents=True, exist_ok=True)
    running = []
    for name, (command, environment) in commands.items():
        with (logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        running.append((name, process))
    failed = [name for name, process in running if _code(process) != 0]
    if failed:
        raise LocalError("\n".join(f"{name} failed\n{tail(logs / f'{name}.log')}" for name in failed))


def _code(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() or 1


def prepare(world: World) -> None:
    """Make the topics that are missing, and bring each database to the code's version, as its owner."""
    create = [sys.executable, "-m", "proforma", "create-topics"]
    commands: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
        "create-topics": (create, {"PROFORMA_KAFKA": world.kafka})
    }
    for service, package in SERVICES.items():
        owner = {"PROFORMA_MIGRATION_DATABASE_URL": world.databases[service].owner_url}
        environment = world.environment(service) | owner
        commands[f"{service}-migrate"] = ([sys.executable, "-m", package, "migrate"], environment)
    run_all(commands, world.folder / "logs")


def fingerprint(environment: Mapping[str, str]) -> str:
    """Tells environments apart without keeping the passwords that are in them. Includes what the caller set."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("PROFORMA_")}
    return hashlib.sha256(json.dumps({**ours, **environment}, sort_keys=True).encode()).hexdigest()
