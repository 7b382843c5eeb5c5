"""Services as processes of their own, to be killed, frozen and asked to end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proforma.runtime import Runtime

_ROOT = Path(__file__).parents[2]


class Process:
    """One `python -m <package> <command>`. `output` is what it has printed, once it has ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.output = ""
        self.code: int | None = None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    async def ended(self, limit_s: float = 30) -> int:
        """Waits for its end; returns the exit code."""
        async with asyncio.timeout(limit_s):
            output, _ = await self._process.communicate()
        self.output += output.decode()
        assert self._process.returncode is not None
        self.code = self._process.returncode
        return self.code

    async def kill(self) -> None:
        """As a power cut would, also when it is frozen."""
        if self._process.returncode is None:
            self._process.kill()
            await self.ended()


def environment(runtime: Runtime, **extra: str) -> dict[str, str]:
    """The environment in which a process has the settings of `runtime`."""
    settings = runtime.settings
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "deploy"), os.environ.get("PYTHONPATH", "")]),
        "PROFORMA_DATABASE_URL": settings.database_url,
        "PROFORMA_KAFKA": settings.kafka,
        "PROFORMA_TOPIC_PREFIX": settings.topic_prefix,
        "PROFORMA_AUTH_PUBLIC_KEY_FILE": str(settings.auth_public_key_file),
        "PROFORMA_AUTH_ISSUER": str(settings.auth_issuer),
        "PROFORMA_AUTH_AUDIENCE": str(settings.auth_audience),
        **extra,
    }


@asynccontextmanager
async def process(package: str, command: str, env: dict[str, str]) -> AsyncIterator[Process]:
    """The process while the block lasts; killed at its end."""
    started = Process(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", package, command, env=env, cwd=_ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
    )  # fmt: skip
    try:
        yield started
    finally:
        await started.kill()
