"""The three commands of every service: `python -m <service> api | worker | migrate`."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError

from proforma.db import Database
from proforma.migrations import migrate
from proforma.runtime import Runtime
from proforma.settings import ServiceSettings
from proforma.telemetry import configure_logging
from proforma.worker import Work, run_worker


@dataclass(frozen=True, slots=True)
class Service:
    """A service as its `__main__` describes it. `app` and `work` are made when they are needed, not at import."""

    name: str
    migrations: Path
    app: Callable[[Runtime], FastAPI]
    work: Callable[[Runtime], Work]
    settings: type[ServiceSettings] = ServiceSettings

    def runtime(self, settings: ServiceSettings, role: str, **seams: Any) -> Runtime:
        """The process's runtime; `seams` replace clock and ids in tests."""
        return Runtime(self.name, settings, Database(settings, f"{self.name}-{role}"), self.migrations, **seams)

    def main(self, arguments: list[str] | None = None) -> None:
        """Runs one command; exits with 2 and one clear line when the settings are not usable."""
        parser = argparse.ArgumentParser(prog=f"python -m {self.name.replace('-', '_')}")
        parser.add_argument("command", choices=["api", "worker", "migrate"])
        command = parser.parse_args(arguments).command
        try:
            settings = self.settings()
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            sys.exit(f"{self.name}: {what}")
        configure_logging(self.name, settings.log_level)
        if command == "migrate":
            self._migrate(settings)
        elif command == "worker":
            runtime = self.runtime(settings, "worker")
            asyncio.run(run_worker(runtime, self.work(runtime)))
        else:
            self._serve(settings)

    def _migrate(self, settings: ServiceSettings) -> None:
        if settings.migration_database_url is None:
            sys.exit(f"{self.name}: set PROFORMA_MIGRATION_DATABASE_URL, the login that owns the tables")
        login = settings.database_url.partition("//")[2].partition(":")[0]
        migrate(settings.migration_database_url, self.migrations, login)

    def _serve(self, settings: ServiceSettings) -> None:
        import uvicorn  # noqa: PLC0415 - migrate and worker start without it

        uvicorn.run(
            self.app(self.runtime(settings, "api")), host=settings.host, port=settings.port,
            log_config=None, access_log=False, timeout_graceful_shutdown=8,
        )  # fmt: skip
