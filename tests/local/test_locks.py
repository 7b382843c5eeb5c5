"""What is installed is pinned to the byte, and from wherever the user's machine gets its packages."""

import re
from pathlib import Path

import pytest

from local import lock
from local.databases import SERVICES
from local.fetch import ENDPOINT, fetch
from local.jars import class_path
from local.lock import LOCK, jar_folder, read_lock
from local.processes import LocalError

ROOT = Path(__file__).parents[2]
PINNED = [ROOT / "requirements.lock", ROOT / "deploy/local/uv.txt", LOCK]


@pytest.mark.parametrize("lock", PINNED, ids=lambda path: path.name)
def test_no_lock_names_an_address(lock: Path) -> None:
    assert not re.search(r"://|index-url|find-links|@ file", lock.read_text())


@pytest.mark.parametrize("lock", PINNED[:2], ids=lambda path: path.name)
def test_every_package_is_pinned_with_hashes(lock: Path) -> None:
    text = re.sub(r"#.*", "", lock.read_text()).replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line.strip()]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_every_service_is_installed_as_it_lies_here() -> None:
    listed = (ROOT / "deploy/local/packages.txt").read_text()
    assert re.findall(r"^-e \./(.+)$", listed, re.M) == ["shared", *(f"services/{name}" for name in SERVICES)]


def test_kafka_is_what_the_endpoint_names() -> None:
    locked = {(jar.group, jar.artifact): jar for jar in read_lock()}
    for part in ENDPOINT.split("+"):
        group, artifact, version = part.rstrip("!").split(":")
        assert locked[group, artifact].version == version
    assert locked["org.apache.kafka", "kafka-clients"].version == "4.1.0"
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in locked.values())


def test_the_second_start_downloads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = class_path()

    def refuse(*_: object) -> None:
        pytest.fail("a download")

    monkeypatch.setattr("local.fetch.fetch", refuse)
    assert class_path() == path == f"{jar_folder()}/*"


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jar_folder().parent == tmp_path / "proforma"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert lock.cache_folder() == Path.home() / ".cache" / "proforma"


def test_a_file_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = read_lock()[0]

    class Tampered:
        cached_path = tmp_path / "tampered.jar"

        def resolve(self) -> Path:
            self.cached_path.write_bytes(b"something else")
            return self.cached_path

    monkeypatch.setattr("jgo.maven.Component.artifact", lambda *_: Tampered(), raising=False)
    with pytest.raises(LocalError, match="SHA-256"):
        fetch(tmp_path / "cache" / "kafka", [jar])
    assert list((tmp_path / "cache").iterdir()) == [], "neither a cache folder nor a half one"
