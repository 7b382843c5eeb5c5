"""Kafka's own jars: pinned by a committed lock, fetched once, kept in the user's cache.

jgo resolves Maven artifacts without Maven. Its environments would also fetch a Java 11 to classify
modules, which nobody needs here, so only its download is used: the lock names each jar and its
SHA-256, and the cache folder is renamed into place only when all of them were compared. `python -m
local.jars` renews the lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from local.processes import LocalError

LOCK = Path(__file__).with_name("kafka.lock.toml")
# The exclamation mark takes the artifact's own dependency versions as they are; without it
# kafka-clients 3.8 slips in.
ENDPOINT = "org.apache.kafka:kafka_2.13:4.1.0!+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!"
DOWNLOADS_AT_ONCE = 8
ATTEMPTS = 3
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Jar:
    """One locked file."""

    group: str
    artifact: str
    version: str
    sha256: str


def cache_folder() -> Path:
    """Where this user's machine keeps what can be fetched again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "proforma"


def class_path() -> str:
    """Java's class path for Kafka. The first call on a machine downloads 45 MB."""
    lock = LOCK.read_bytes()
    folder = cache_folder() / f"kafka-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not folder.exists():
        _fill(folder, read_lock())
    return f"{folder}/*"


def read_lock() -> list[Jar]:
    """The jars that make up Kafka."""
    held = tomllib.loads(LOCK.read_text())
    return [Jar(**entry) for entry in held["jar"]]


def _fill(folder: Path, jars: list[Jar]) -> None:
    """Fetch all jars into a side folder and rename it. Two who do so at once do not disturb one another."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as side:
        repository, flat = Path(side, "maven"), Path(side, "jars")
        flat.mkdir()
        context = _context(repository)
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            for jar, path in zip(jars, pool.map(lambda j: _fetch(context, j), jars), strict=True):
                shutil.move(path, flat / f"{jar.artifact}-{jar.version}.jar")
        try:
            flat.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _context(repository: Path) -> MavenContext:
    """Maven Central, or the mirrors that the user has told jgo of."""
    mirrors = GlobalSettings.load().repositories or None
    return MavenContext(repo_cache=repository, remote_repos=mirrors, timeout=TIMEOUT_SECONDS)


def _fetch(context: MavenContext, jar: Jar) -> Path:
    """Download one jar and compare it with the lock."""
    failure: Exception | None = None
    for _ in range(ATTEMPTS):
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        try:
            path = Path(artifact.resolve())
        except Exception as error:  # jgo has no error class of its own
            failure = error
        else:
            if hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256:
                return path
            failure = LocalError("its SHA-256 is not the one in the lock")
        if artifact.cached_path is not None:
            artifact.cached_path.unlink(missing_ok=True)
    raise LocalError(f"cannot fetch {jar.artifact} {jar.version} for Kafka: {failure}")


def write_lock() -> None:
    """Resolve the endpoint anew and write down what came out."""
    blocks = []
    for artifact in jgo.resolve(ENDPOINT):
        if artifact.packaging == "jar":
            digest = hashlib.sha256(Path(artifact.resolve()).read_bytes()).hexdigest()
            jar = Jar(artifact.groupId, artifact.artifactId, artifact.version, digest)
            lines = (f'{name} = "{value}"' for name, value in vars(jar).items())
            blocks.append("\n".join(["[[jar]]", *lines]))
    heading = "# Kafka's jars, as resolved by `python -m local.jars`."
    LOCK.write_text("\n\n".join([heading, *sorted(blocks)]) + "\n")


if __name__ == "__main__":
    write_lock()
