"""What every service is called by: `python -m <service> api | worker | migrate`, and an operator's commands."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urlsplit

import uvicorn
from pydantic import ValidationError

from proforma import commands
from proforma.commands import Command, OneLineParser
from proforma.db import Database
from proforma.operation import operator_commands
from proforma.position_commands import position_commands
from proforma.restore import restore_commands
from proforma.runtime import Runtime
from proforma.settings import ServiceSettings
from proforma.telemetry import configure_logging
from proforma.tracing import OFF, Tracing
from proforma.worker import Work, run_worker

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Service:
    """A service as its `__main__` describes it. `app` and `work` are made when they are needed, not at import.

    `own_commands` are what an operator can do with this service only.
    """

    name: str
    migrations: Path
    app: Callable[[Runtime], "FastAPI"]
    work: Callable[[Runtime], Work]
    settings: type[ServiceSettings] = ServiceSettings
    own_commands: Sequence[Command] = ()

    def commands(self) -> Sequence[Command]:
        """An operator's commands; a module of the kernel that brings some is one line here."""
        return (
            *operator_commands(self.work),
            *position_commands(self.work),
            *restore_commands(self.work),
            *self.own_commands,
        )

    def runtime(self, settings: ServiceSettings, role: str, **seams: Any) -> Runtime:
        """The process's runtime; `seams` replace clock, ids and database in tests, and say where spans go."""
        if "database" not in seams:
            seams["database"] = Database(settings, f"{self.name}-{role}")
        return Runtime(self.name, settings, migrations=self.migrations, **seams)

    def main(self, arguments: list[str] | None = None) -> None:
        """Runs one command; exits with 2 and one clear line when the settings are not usable."""
        parsed = self.parser().parse_args(arguments)
        try:
            settings = self.settings()
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            self._refuse(what)
        if parsed.process == "migrate" and settings.migration_database_url is None:
            self._refuse("set PROFORMA_MIGRATION_DATABASE_URL, the login that owns the tables")
        if parsed.command is not None:
            # What a command answers is on standard output, for people and programs: what it logs is not.
            configure_logging(self.name, "WARNING", sys.stderr)
            sys.exit(asyncio.run(commands.run(self.runtime(settings, "operator"), parsed)))
        configure_logging(self.name, settings.log_level)
        if parsed.process == "migrate":
            self._migrate(settings)
        elif parsed.process == "worker":
            runtime = self.runtime(settings, "worker", tracing=self.tracing(settings, "worker"))
            asyncio.run(run_worker(runtime, self.work(runtime)))
        else:
            self._serve(settings)

    def parser(self) -> OneLineParser:
        """What the command line of this service can say."""
        parser = OneLineParser(prog=f"python -m {self.name.replace('-', '_')}")
        parser.set_defaults(command=None)
        parsers = parser.add_subparsers(dest="process", metavar="command", required=True)
        parsers.add_parser("api", help="serve HTTP")
        parsers.add_parser("worker", help="send and take events, work on jobs")
        parsers.add_parser("migrate", help="bring the database to this release, as its owner")
        commands.add_to(parsers, self.commands())
        return parser

    def _migrate(self, settings: ServiceSettings) -> None:
        from proforma.migrations import upgrade  # noqa: PLC0415 - Alembic is 10 MB that api and worker do without

        login = unquote(urlsplit(settings.database_url).username or "")
        asyncio.run(upgrade(settings.migration_database_url or "", self.migrations, login))

    def _serve(self, settings: ServiceSettings) -> None:
        runtime = self.runtime(settings, "api", tracing=self.tracing(settings, "api"))
        uvicorn.run(
            self.app(runtime), host=settings.host, port=settings.port,
            log_config=None, access_log=False, timeout_graceful_shutdown=8,
        )  # fmt: skip

    def tracing(self, settings: ServiceSettings, role: str) -> Tracing:
        """Where this process's spans go; ends it when the settings ask for what is not installed."""
        if not settings.otlp_endpoint:
            return OFF
        try:
            from proforma.otel import tracing_to  # noqa: PLC0415 - an extra, and 15 MB that most do without
        except ImportError:
            self._refuse("PROFORMA_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: the extra proforma[otel]")
        return tracing_to(settings.otlp_endpoint, self.name, role)

    def _refuse(self, what: str) -> NoReturn:
        sys.stderr.write(f"{self.name}: {what}\n")
        sys.exit(2)
