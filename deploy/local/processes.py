"""Processes that outlive the command that starts them, found again without mistaking a stranger for them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LAUNCH = Path(__file__).with_name("launch.py")
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 25
# At each start; what is longer is set aside, and what was set aside before goes.
LOG_BYTES_MAX = 20_000_000
HOST = "127.0.0.1"


class LocalError(RuntimeError):
    """Something of the embedded stack does not work; the text is for the person in front of it."""


def identity(pid: int) -> str | None:
    """Who runs under `pid`: nobody else ever gets the same answer, although pids are given out again.

    On Linux that is the boot and the tick of the start. psutil's create_time() moves when the clock
    is set, and then a running server would look like a stranger.
    """
    try:
        if sys.platform != "linux":
            return repr(psutil.Process(pid).create_time())
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name in parentheses may hold spaces: count the fields after it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # A zombie with threads is still closing its files and ports.
        ended = fields[0] == "Z" and int(fields[17]) <= 1
        return None if ended else f"{boot}:{fields[19]}"
    except (OSError, IndexError, psutil.Error):
        return None


@dataclass(frozen=True)
class Running:
    """A process and proof that it is still that one."""

    pid: int
    identity: str

    @classmethod
    def of(cls, pid: int) -> Running | None:
        known = identity(pid)
        return None if known is None else cls(pid, known)

    @property
    def alive(self) -> bool:
        return identity(self.pid) == self.identity

    def listens(self, port: int) -> bool:
        """Whether it is this process that takes connections at `port`."""
        try:
            held = psutil.Process(self.pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in held)

    def send(self, number: int) -> None:
        """Signal it, unless somebody else has its pid by now."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def stop(self, *, ask: int = signal.SIGTERM, patience: float = 20.0) -> bool:
        """Ask it to end, and end it when it has not after `patience` seconds. True: it ended by itself."""
        self.send(ask)
        if self.wait(patience):
            return True
        self.send(signal.SIGKILL)
        self.wait(10)
        return False

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; False when it has not within the time."""
        return wait_until(lambda: not self.alive, seconds)


class PidFile:
    """Remembers a process over the end of the command that started it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, running: Running) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"pid": running.pid, "identity": running.identity}))

    def read(self) -> Running | None:
        """The process, if it still runs. A file half written by a hard stop counts as none."""
        try:
            held = json.loads(self.path.read_text())
            running = Running(int(held["pid"]), str(held["identity"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return running if running.alive else None

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    die_with_parent: int | None = None,
) -> Running:
    """Start `command` in a session of its own, with its output in `log`.

    A session of its own, so that Ctrl-C in the terminal and the end of `make` do not reach it.
    `die_with_parent` is the signal to get when this process ends.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".old.log"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            launched(command, user=user, die_with_parent=die_with_parent),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    with _CHILDREN_LOCK:
        _CHILDREN.append(process)
    running = Running.of(process.pid)
    if running is None:
        raise LocalError(f"{command[0]} ended at once\n{tail(log)}")
    return running


# A child that ended stays a zombie until its Popen object is asked; dropping the object warns.
_CHILDREN: list[subprocess.Popen[bytes]] = []
_CHILDREN_LOCK = threading.Lock()


def launched(command: Sequence[str], *, user: str | None = None, die_with_parent: int | None = None) -> list[str]:
    """The command that gives up rights first (launch.py), or `command` itself when there is nothing to give up."""
    options: list[str] = []
    if user is not None:
        options += ["--user", user]
    if die_with_parent is not None:
        options += ["--die-with-parent", str(os.getpid()), "--signal", str(int(die_with_parent))]
    if not options:
        return list(command)
    return [sys.executable, "-I", "-S", str(LAUNCH), *options, "--", *command]


def reap() -> None:
    """Take note of own children that have ended."""
    with _CHILDREN_LOCK:
        _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """True as soon as `condition` holds; False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        reap()
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The end of a log, to show with an error."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return f"(no log at {log})"
    return "\n".join([f"--- end of {log}", *text.splitlines()[-lines:], "---"])


# Below those that systems give to outgoing connections: one of those could be taken before the server binds it.
FREE_PORTS = range(20_000, 32_768)


def free_port(wanted: int | None = None, *, taken: frozenset[int] = frozenset(), patience: float = 0.0) -> int:
    """The wanted port if nobody listens there for `patience` seconds, or else any free one that is not in `taken`."""
    if wanted is not None and wanted not in taken and wait_until(lambda: _bindable(wanted), patience):
        return wanted
    while True:
        port = FREE_PORTS.start + secrets.randbelow(len(FREE_PORTS))
        if port not in taken and _bindable(port):
            return port


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return not listening(port)


def listening(port: int, host: str = HOST) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0
