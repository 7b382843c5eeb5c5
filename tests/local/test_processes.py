"""Processes are found again, and nobody else's is touched."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import processes
from local.processes import HOST, PidFile, Running, free_port, identity, spawn, tail, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "from signal import *; signal(SIGTERM, SIG_IGN); print('not listening', flush=True); pause()",
]
# Starts a child that is to die with it, and says which.
PARENT = f"""
import signal, sys, time
from pathlib import Path
from local.processes import spawn
print(spawn({SLEEP!r}, Path(sys.argv[1]), die_with_parent=signal.SIGKILL).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Running]:
    running = spawn(SLEEP, tmp_path / "sleeper.log")
    yield running
    running.stop(patience=0)


def test_a_process_is_found_by_the_next_command(tmp_path: Path, sleeper: Running) -> None:
    PidFile(tmp_path / "x.pid").write(sleeper)
    assert PidFile(tmp_path / "x.pid").read() == sleeper


def test_a_pid_that_was_given_out_again_is_not_ours(tmp_path: Path, sleeper: Running) -> None:
    stranger = Running(sleeper.pid, "another boot:1")
    PidFile(tmp_path / "x.pid").write(stranger)
    assert PidFile(tmp_path / "x.pid").read() is None
    assert stranger.stop(patience=0), "there is nothing of ours to wait for"
    assert sleeper.alive, "the process that has the pid now must not be signalled"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_pid_file_half_written_counts_as_none(tmp_path: Path, content: str) -> None:
    file = PidFile(tmp_path / "x.pid")
    file.path.write_text(content)
    assert file.read() is None


def test_a_process_that_ended_is_not_alive(sleeper: Running) -> None:
    assert sleeper.stop()
    assert identity(sleeper.pid) is None


def test_who_does_not_end_when_asked_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"
    running = spawn(DEAF, log)
    assert wait_until(lambda: "not listening" in tail(log), 10)
    assert not running.stop(patience=0.2), "it did not end by itself"
    assert not running.alive


@pytest.mark.skipif(sys.platform != "linux", reason="a request to the Linux kernel")
def test_servers_of_a_killed_test_run_end_with_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "child.log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(processes.__file__).parents[1])},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert identity(child) is not None
        parent.kill()
    assert wait_until(lambda: identity(child) is None, 10)


def test_a_taken_port_is_left_alone() -> None:
    with socket.create_server((HOST, 0)) as server:
        taken = int(server.getsockname()[1])
        assert free_port(taken) != taken
    assert free_port(taken) == taken
    assert free_port(taken, taken=frozenset({taken})) != taken


def test_a_log_that_grew_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.processes.LOG_BYTES_MAX", 3)
    log = tmp_path / "x.log"
    log.write_text("long ago")
    running = spawn(SLEEP, log)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(10)
    assert (tmp_path / "x.old.log").read_text() == "long ago"
    assert log.read_text() == ""
