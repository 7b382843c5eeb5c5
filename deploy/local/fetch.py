"""Fetches Kafka's jars (`python -m local.fetch`) and renews their lock (`python -m local.fetch --lock`).

jgo resolves Maven artifacts without Maven. Its environments would also fetch a Java 11 to classify modules, which
nobody needs here, so only its download is used: the lock names each jar and its SHA-256, and the cache folder is
renamed into place only when all of them were compared.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from local.lock import LOCK, Jar, jar_folder, read_lock
from local.processes import LocalError

# The exclamation mark takes the artifact's own dependency versions; without it kafka-clients 3.8 slips in.
ENDPOINT = "org.apache.kafka:kafka_2.13:4.1.0!+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!"
DOWNLOADS_AT_ONCE = 8
ATTEMPTS = 3
TIMEOUT_SECONDS = 60


def fetch(folder: Path, jars: list[Jar]) -> None:
    """Fetch all jars into a side folder and rename it. Two who do so at once do not disturb one another."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as side:
        context, flat = _context(Path(side, "maven")), Path(side, "jars")
        flat.mkdir()
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            for jar, path in zip(jars, pool.map(lambda each: _fetch(context, each), jars), strict=True):
                shutil.move(path, flat / f"{jar.artifact}-{jar.version}.jar")
        try:
            flat.rename(folder)
        except OSError:
            # Somebody else was first.
            if not folder.exists():
                raise


def write_lock() -> None:
    """Resolve the endpoint anew and write down what came out."""
    blocks = []
    for artifact in jgo.resolve(ENDPOINT):
        if artifact.packaging == "jar":
            jar = Jar(artifact.groupId, artifact.artifactId, artifact.version, _sha256(Path(artifact.resolve())))
            lines = (f'{name} = "{value}"' for name, value in vars(jar).items())
            blocks.append("\n".join(["[[jar]]", *lines]))
    heading = "# Kafka's jars, as resolved by `make lock`."
    LOCK.write_text("\n\n".join([heading, *sorted(blocks)]) + "\n")


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
            if _sha256(path) == jar.sha256:
                return path
            failure = LocalError("its SHA-256 is not the one in the lock")
        if artifact.cached_path is not None:
            # jgo would take a half or a wrong file for a good one the next time.
            artifact.cached_path.unlink(missing_ok=True)
    raise LocalError(f"cannot fetch {jar.artifact} {jar.version} for Kafka: {failure}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m local.fetch")
    parser.add_argument("--lock", action="store_true", help="resolve anew and write kafka.lock.toml")
    if parser.parse_args().lock:
        write_lock()
    if not jar_folder().exists():
        fetch(jar_folder(), read_lock())
