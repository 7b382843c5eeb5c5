"""pg_dump and pg_restore, called without a password on the command line, where every user of the machine reads it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit


class BackupError(RuntimeError):
    """A backup or restore that did not succeed; the text is for the person in front of it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are: `folder`, or the PATH. pg_dump must not be older than the server."""

    folder: Path | None = None

    async def run(self, program: str, url: str, *arguments: str) -> None:
        """Runs one on the database at `url`; raises BackupError with what it said."""
        parts = urlsplit(url)
        login, _, address = parts.netloc.rpartition("@")
        bare = urlunsplit(parts._replace(netloc=f"{login.partition(':')[0]}@{address}" if login else address))
        process = await asyncio.create_subprocess_exec(
            str(self.folder / program) if self.folder else program, f"--dbname={bare}", *arguments,
            env={**os.environ, "PGPASSWORD": unquote(parts.password)} if parts.password else None,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise BackupError(
                f"{program} of {parts.path.strip('/')} ended with {process.returncode}\n{output.decode()}"
            )


Databases = Mapping[str, str]
"""Service → URL of the login that owns the tables."""


def dump_of(folder: Path, service: str) -> Path:
    return folder / f"{service}.dump"
