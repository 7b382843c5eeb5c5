"""The lock of Kafka's own jars, and where they are kept: committed, and in the user's cache."""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).with_name("kafka.lock.toml")


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


def jar_folder() -> Path:
    """Where the jars of this lock are, or will be. Another lock has another folder."""
    return cache_folder() / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def read_lock() -> list[Jar]:
    """The jars that make up Kafka."""
    held = tomllib.loads(LOCK.read_text())
    return [Jar(**entry) for entry in held["jar"]]
