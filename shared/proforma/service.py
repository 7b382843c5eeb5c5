"""The three commands of every service: `python -m <service> api | worker | migrate`."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urlsplit

import uvicorn
from pydantic import ValidationError

from proforma.db import Database
from proforma.runtime import Runtime
from proforma.settings import ServiceSettings
from proforma.telemetry import configure_logging
from proforma.worker import Work, run_worker

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Service:
    """A service as its `__main__` describes it. `app` and `work` are made when they are needed, not at import."""

    name: str
    migrations: Path
    app: Callable[[Runtime], "FastAPI"]
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
            self._refuse(what)
        if command == "migrate" and settings.migration_database_url is None:
            self._refuse("set PROFORMA_MIGRATION_DATABASE_URL, the login that owns the tables")
        configure_logging(self.name, settings.log_level)
        if command == "migrate":
            self._migrate(settings)
        elif command == "worker":
            runtime = self.runtime(settings, "worker")
            asyncio.run(run_worker(runtime, self.work(runtime)))
        else:
            self._serve(settings)

    def _migrate(self, settings: ServiceSettings) -> None:
        from proforma.migrations import upgrade  # noqa: PLC0415 - Alembic is 10 MB that api and worker do without

        login = unquote(urlsplit(settings.database_url).username or "")
        asyncio.run(upgrade(settings.migration_database_url or "", self.migrations, login))

    def _serve(self, settings: ServiceSettings) -> None:
        uvicorn.run(
            self.app(self.runtime(settings, "api")), host=settings.host, port=settings.port,
            log_config=None, access_log=False, timeout_graceful_shutdown=8,
        )  # fmt: skip

    def _refuse(self, what: str) -> NoReturn:
        sys.stderr.write(f"{self.name}: {what}\n")
        sys.exit(2)
