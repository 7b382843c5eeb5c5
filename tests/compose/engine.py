"""The container engine and Compose, as far as `make test-compose` needs them; no wait without a limit."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.backend import KAFKA_IMAGE, POSTGRES_IMAGE

ROOT = Path(__file__).parents[2]
BASE_IMAGE = "python:3.13-slim"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
ASK_SECONDS = 20
PULL_SECONDS = 300
COMMAND_SECONDS = 600
POLL_SECONDS = 0.5


class ComposeError(RuntimeError):
    """A command failed or something is not as it must be; the text says what."""


def run(command: Sequence[str], seconds: float = COMMAND_SECONDS, env: Mapping[str, str] | None = None) -> str:
    """What the command prints; raises ComposeError with its last lines when it fails or takes too long."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ComposeError(f"{' '.join(command[:6])} took longer than {seconds:.0f} s") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise ComposeError(f"{' '.join(command[:8])} ended with {done.returncode}\n{said}")
    return done.stdout


def works(command: Sequence[str], seconds: float | None = None) -> bool:
    """Whether the command succeeds. A client without its engine may hang instead of failing."""
    try:
        run(command, seconds or ASK_SECONDS)
    except (ComposeError, OSError):
        return False
    return True


def compose_command() -> list[str] | None:
    """`docker compose`, or docker-compose 1.29, or what COMPOSE names; None where there is none."""
    given = os.environ.get("COMPOSE")
    for command in [given.split()] if given else [["docker", "compose"], ["docker-compose"]]:
        if shutil.which(command[0]) and works([*command, "version"]):
            return command
    return None


def missing(tell: Callable[[str], object] = print) -> str | None:
    """What this machine lacks for the play, in a few words; None when it has all. Pulling is told."""
    if not shutil.which("docker"):
        return "there is no container engine"
    if not works(["docker", "info"]):
        return "no container engine answers"
    if compose_command() is None:
        return "there is no Compose"
    for image in (BASE_IMAGE, POSTGRES_IMAGE, KAFKA_IMAGE):
        if works(["docker", "image", "inspect", image]):
            continue
        tell(f"  pulling {image}")
        if not works(["docker", "pull", "-q", image], PULL_SECONDS):
            return f"{image} is not here and cannot be pulled"
    return None


@dataclass(frozen=True)
class Container:
    """One container of the project, as it was when it was looked at."""

    name: str
    service: str
    status: str
    health: str
    exit_code: int


class Stack:
    """One Compose project with an env file of its own."""

    def __init__(self, project: str, env_file: Path) -> None:
        command = compose_command()
        if command is None:
            raise ComposeError("there is no Compose")
        self.project = project
        self._compose = [*command, "--project-name", project, "--env-file", str(env_file)]
        # What the caller's shell has set would win over the file.
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(("PROFORMA_", "COMPOSE"))}
        # Engines without buildx still build by the older builder; others do not look at this.
        if not works(["docker", "buildx", "version"]):
            self._env["DOCKER_BUILDKIT"] = "0"

    def compose(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> str:
        """Runs a Compose command of this project."""
        return run([*self._compose, *arguments], seconds, self._env)

    def containers(self) -> dict[str, Container]:
        """All of them, by service, one each; those that ran once and ended are among them."""
        ids = run(["docker", "ps", "-aq", "--filter", f"label={PROJECT_LABEL}={self.project}"], ASK_SECONDS).split()
        if not ids:
            return {}
        found: list[dict[str, Any]] = json.loads(run(["docker", "inspect", *ids], ASK_SECONDS))
        return {
            one["Config"]["Labels"][SERVICE_LABEL]: Container(
                name=one["Name"].removeprefix("/"),
                service=one["Config"]["Labels"][SERVICE_LABEL],
                status=one["State"]["Status"],
                health=one["State"].get("Health", {}).get("Status", "none"),
                exit_code=one["State"]["ExitCode"],
            )
            for one in found
        }

    def working(self) -> list[Container]:
        """Those that are to stay, as opposed to the jobs that ran once: they have a health check."""
        return [one for one in self.containers().values() if one.health != "none"]

    def log(self, service: str, lines: int = 30) -> str:
        """The end of a container's log."""
        return self.compose("logs", "--no-color", "--tail", str(lines), service, seconds=ASK_SECONDS)

    def wait_healthy(self, services: Sequence[str], seconds: float) -> None:
        """Waits until these say that they are ready; raises ComposeError with the log of the first that does not."""

        def unwell() -> list[str]:
            there = self.containers()
            return [name for name in services if name not in there or there[name].health != "healthy"]

        if not until(lambda: not unwell(), seconds):
            late = unwell()
            log = self.log(late[0]) if late else ""
            raise ComposeError(f"not healthy after {seconds:.0f} s: {', '.join(late)}\n{log}")

    def remove(self) -> None:
        """Containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True
