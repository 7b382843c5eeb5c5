"""Where tests get their servers from."""

import os
from pathlib import Path

import pytest

from local import backend as backends
from local.backend import start_backend
from local.processes import LocalError


def test_given_addresses_are_used_and_left_alone() -> None:
    given = start_backend({"POSTGRES": "postgresql://x@y/z", "KAFKA": "k:9092"})
    assert (given.postgres, given.kafka) == ("postgresql://x@y/z", "k:9092")
    assert given.description == "PostgreSQL: given address, Kafka: given address"
    given.stop()


def test_an_unknown_kind_is_an_error_and_not_the_default() -> None:
    with pytest.raises(LocalError, match="podman"):
        start_backend({"BACKEND": "podman"})


def test_what_a_killed_run_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, mine = tmp_path / "proforma-test-999999999-a", tmp_path / f"proforma-test-{os.getpid()}-a"
    left.mkdir()
    mine.mkdir()
    made = backends.Backend("", "", "")
    folder = backends._folder(made)
    assert folder.exists()
    assert mine.exists()
    assert not left.exists()
    made.stop()
    assert not folder.exists()
