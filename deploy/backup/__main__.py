"""`python -m backup take | restore | settle`: docs/operations.md says when and how."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from backup.restore import restore, settle
from backup.take import take
from backup.tools import BackupError, Databases, Tools

PACKAGES = {
    "time-expense": "time_expense",
    "billing-backlog": "billing_backlog",
    "invoicing": "invoicing",
    "scheduler": "scheduler",
}


def databases_of(file: Path) -> Databases:
    """Service → URL of its owner's login, from a JSON file; raises BackupError unless it names the four services."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{file}: {error}") from error
    if not isinstance(found, dict) or found.keys() != PACKAGES.keys():
        raise BackupError(f"{file} must name exactly {', '.join(PACKAGES)}")
    return {service: str(url) for service, url in found.items()}


def environment_of(file: Path) -> Mapping[str, str]:
    """The variables of one service's processes, from lines of NAME=value."""
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except OSError as error:
        raise BackupError(f"{file}: {error}") from error
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


class Caller:
    """Calls the services' own commands, each in its own environment."""

    def __init__(self, folder: Path, by: str) -> None:
        self._environments = {service: environment_of(folder / f"{service}.env") for service in PACKAGES}
        self._by = by

    async def __call__(self, service: str, *arguments: str) -> str:
        who = ["--by", self._by] if "--reason" in arguments else []
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", PACKAGES[service], *arguments, *who,
            env={**os.environ, **self._environments[service]},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise BackupError(f"{service}: {' '.join(arguments)} ended with {process.returncode}\n{errors.decode()}")
        return output.decode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m backup")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, what in (("take", "back up the four databases at one moment"), ("restore", "fill four empty databases")):
        one = verbs.add_parser(verb, help=what)
        one.add_argument("folder", type=Path)
        one.add_argument("--databases", type=Path, required=True, help="JSON: service → URL of the owner's login")
        one.add_argument("--tools", type=Path, default=None, help="folder of pg_dump and pg_restore; else the PATH")
    settles = verbs.add_parser("settle", help="after a restore of all four: what was said since takes effect nowhere")
    settles.add_argument("--environments", type=Path, required=True, help="folder with a <service>.env for each")
    settles.add_argument("--reason", required=True)
    settles.add_argument("--by", required=True, help="who decides this; kept beside the decision")
    given = parser.parse_args()
    try:
        return asyncio.run(_run(given))
    except (BackupError, OSError) as error:
        sys.stderr.write(f"backup: {error}\n")
        return 1


async def _run(given: argparse.Namespace) -> int:
    if given.verb == "settle":
        caller = Caller(given.environments, given.by)
        print(json.dumps({"said_since": await settle(list(PACKAGES), caller, given.reason)}, indent=2))
        return 0
    work = take if given.verb == "take" else restore
    print(json.dumps(await work(databases_of(given.databases), given.folder, Tools(given.tools)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
