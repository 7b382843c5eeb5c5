"""The PostgreSQL out of the wheel: it starts, stops, survives a kill, and finds another port."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from local import postgres
from local.postgres import Postgres, answers, blocking
from local.processes import LocalError, Running

# One server for all, because making one costs more than these tests do.
pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("server") / "postgres", durable=False, die_with_parent=True)
    yield server
    server.stop()


@pytest.fixture
def server(made: Postgres) -> Postgres:
    """The server, running, whatever the test before did to it."""
    made.start()
    return made


async def _run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_data_outlives_a_stop_and_a_kill(server: Postgres) -> None:
    blocking(_run(server.url, "CREATE TABLE kept (x int)"))
    blocking(_run(server.url, "INSERT INTO kept VALUES (1)"))
    server.stop()
    assert server.running is None
    server.start()
    blocking(_run(server.url, "INSERT INTO kept VALUES (2)"))
    blocking(_run(server.url, "CHECKPOINT"))
    server.kill()
    assert server.running is None
    server.start()
    assert blocking(_run(server.url, "SELECT sum(x) FROM kept")) == 3


def test_a_second_command_finds_the_server_and_starts_no_other(server: Postgres) -> None:
    again = Postgres(server.folder, durable=False)
    assert again.start() == server.url
    assert again.running == server.running


def test_it_asks_for_a_password_and_listens_on_loopback_only(server: Postgres) -> None:
    wrong = server.url.replace(":", ":x", 2).replace("postgresql:x", "postgresql:")
    with pytest.raises(LocalError, match="refuses the login"):
        blocking(answers(wrong))
    assert blocking(_run(server.url, "SHOW listen_addresses")) == "127.0.0.1"


def test_a_taken_port_and_the_old_port(server: Postgres, tmp_path: Path) -> None:
    other = Postgres(tmp_path / "other", port=server.port, durable=False, die_with_parent=True)
    try:
        other.start()
        assert other.port != server.port
        old = other.port
        other.kill()
        again = Postgres(tmp_path / "other", port=server.port, keep_port=True, durable=False, die_with_parent=True)
        again.start()
        assert again.port == old, "services that still run look for it there"
    finally:
        other.stop()


def test_the_pid_of_the_server_before_belongs_to_another_process_now(server: Postgres) -> None:
    server.kill()
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # Ourselves: alive, and of the same user where that is not root.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert server.running is None
    server.stop()
    server.start()
    assert server.running != Running.of(os.getpid())


def test_closed_folders_above_are_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As root the server runs as another user, who could not even find its own program below root's home.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package, installed = postgres.BINARIES.parents[1], postgres.BINARIES.parent.name
    shutil.copytree(package / installed, closed / package.name / installed, symlinks=True)
    # Its libraries are found by the way from its program.
    shutil.copytree(package.with_suffix(".libs"), closed / f"{package.name}.libs")
    monkeypatch.setattr(postgres, "BINARIES", closed / package.name / installed / "bin")
    server = Postgres(closed / "postgres", durable=False, die_with_parent=True)
    try:
        assert blocking(_run(server.start(), "SELECT 1")) == 1
    finally:
        server.stop()


def test_settings_for_data_that_is_kept(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "kept", die_with_parent=True)
    try:
        server.start()
        query = "SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN ('fsync','synchronous_commit')"
        answer = blocking(_run(server.url, query))
        assert json.loads(str(answer)) == {"fsync": "on", "synchronous_commit": "on"}
    finally:
        server.stop()
