"""`make test` neither fails nor hangs where there is no engine to play on."""

from pathlib import Path

import pytest

from tests.compose import engine, play


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a `docker` can be put: nothing else is on the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COMPOSE", raising=False)
    return tmp_path / "docker"


def put(client: Path, script: str) -> None:
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)


def told(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = play.main(["--if-possible"])
    return code, capsys.readouterr().out.splitlines()[-1]


def test_without_a_client(client: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys) == (0, "test-compose: not run, there is no container engine")
    assert play.main([]) == 1, "who asks for it is told that it cannot be had"


def test_with_a_client_whose_engine_is_away(client: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(client, "exit 1")
    assert told(capsys) == (0, "test-compose: not run, no container engine answers")


def test_with_a_client_that_hangs(
    client: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ASK_SECONDS", 0.3)
    put(client, "exec /bin/sleep 60")
    assert told(capsys) == (0, "test-compose: not run, no container engine answers")


def test_without_compose(client: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(client, '[ "$1" = info ]')
    assert told(capsys) == (0, "test-compose: not run, there is no Compose")


def test_without_the_images(client: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(client, '[ "$1" = info ] || [ "$1" = compose ]')
    assert told(capsys) == (0, "test-compose: not run, python:3.13-slim is not here and cannot be pulled")


def test_what_fails_says_what_it_said(client: Path) -> None:
    put(client, "echo a; echo b >&2; exit 3")
    with pytest.raises(engine.ComposeError, match=r"docker ps ended with 3\na\nb"):
        engine.run(["docker", "ps"])
