"""Kafka's own jars: pinned by a committed lock, fetched once, kept in the user's cache."""

from __future__ import annotations

from local.lock import jar_folder, read_lock


def class_path() -> str:
    """Java's class path for Kafka. The first call on a machine downloads 45 MB."""
    folder = jar_folder()
    if not folder.exists():
        from local.fetch import fetch  # noqa: PLC0415 (takes a second to import; once per machine is enough)

        fetch(folder, read_lock())
    return f"{folder}/*"
