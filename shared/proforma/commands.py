"""An operator's commands, beside api, worker and migrate: what one is, how it is called, and how it answers."""

import argparse
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pydantic_core import to_jsonable_python

from proforma.context import Context
from proforma.errors import Problem
from proforma.failures import is_deterministic
from proforma.kafka.errors import Away
from proforma.runtime import Runtime
from proforma.telemetry import traced

DONE, REFUSED, MISUSED, AWAY = 0, 1, 2, 3
"""Exit codes. Refused: not there, or not in that state; misused: arguments or settings; away: a server."""

_NAME_MAX = 255


@dataclass(frozen=True, slots=True)
class Command:
    """`python -m <service> <name> …`. `name` may have two words, such as `dead-letters list`.

    `run` returns the exit code; a Problem that it raises becomes one line and `REFUSED`. What it changes it does in
    the context that `acting` makes; with `changes`, the command takes `--by`.
    """

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Runtime, argparse.Namespace], Awaitable[int]]
    changes: bool = False


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with `MISUSED`."""
        self.exit(MISUSED, f"{self.prog}: {message}\n")


def no_arguments(_: argparse.ArgumentParser) -> None:
    """For a command that takes none of its own."""


def add_to(parsers: "argparse._SubParsersAction[OneLineParser]", commands: Sequence[Command]) -> None:
    """Makes a parser for each command. Its namespace has `command`, `json` and, with `changes`, `by`."""
    groups: dict[str, argparse._SubParsersAction[OneLineParser]] = {}
    for command in commands:
        group, _, verb = command.name.rpartition(" ")
        if group and group not in groups:
            verbs = [one.name.rpartition(" ")[2] for one in commands if one.name.startswith(f"{group} ")]
            parser = parsers.add_parser(group, help=" | ".join(verbs))
            groups[group] = parser.add_subparsers(dest="verb", metavar="verb", required=True)
        own = (groups[group] if group else parsers).add_parser(verb, help=command.help, description=command.help)
        command.arguments(own)
        own.add_argument("--json", action="store_true", help="JSON for programs instead of a table")
        if command.changes:
            own.add_argument("--by", type=_name, default=None, help="who does this; kept beside the change (you)")
        own.set_defaults(command=command)


def acting(runtime: Runtime, arguments: argparse.Namespace) -> Context:
    """The context of the person at the terminal: their name stands beside what the command changes."""
    return runtime.context(arguments.by or _user())


def _user() -> str:
    try:
        return _name(getpass.getuser())
    except (OSError, KeyError, argparse.ArgumentTypeError) as error:
        # In a container the process's number may have no name, and a change without a person is nobody's.
        raise Problem("nobody knows your name here: say it by --by") from error


def _name(text: str) -> str:
    if not (0 < len(text) <= _NAME_MAX and text.isprintable()):
        raise argparse.ArgumentTypeError(f"a name of 1 to {_NAME_MAX} printable characters")
    return text


async def run(runtime: Runtime, arguments: argparse.Namespace) -> int:
    """Runs the parsed command to its exit code; what goes wrong is one line on standard error."""
    command: Command = arguments.command
    try:
        # Ids of their own: what a command emits can be followed through the topics like what a request does.
        with traced(None, None):
            return await command.run(runtime, arguments)
    except Problem as problem:
        sys.stderr.write(f"{runtime.service}: {problem.detail}\n")
        return REFUSED
    except Exception as error:
        if is_deterministic(error) and not isinstance(error, Away):
            raise
        why = str(error).splitlines() or [""]
        sys.stderr.write(f"{runtime.service}: {type(error).__name__}: {why[0]}".rstrip(": ") + "\n")
        return AWAY
    finally:
        await runtime.database.close()


def show(rows: Sequence[Mapping[str, object]], arguments: argparse.Namespace, none: str = "none") -> None:
    """Prints rows of the same columns: a table, or with `--json` an array; `none` is said where a table is empty."""
    if arguments.json:
        sys.stdout.write(json.dumps(to_jsonable_python(list(rows)), ensure_ascii=False) + "\n")
        return
    if not rows:
        sys.stdout.write(f"{none}\n")
        return
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(cells.rstrip() + "\n")


def show_one(thing: Mapping[str, object], arguments: argparse.Namespace) -> None:
    """Prints one thing: a line for each field, or with `--json` an object."""
    if arguments.json:
        sys.stdout.write(json.dumps(to_jsonable_python(dict(thing)), ensure_ascii=False) + "\n")
        return
    width = max(len(name) for name in thing)
    for name, value in thing.items():
        sys.stdout.write(f"{name.ljust(width)}  {_cell(value)}".rstrip() + "\n")


def _cell(value: object) -> str:
    plain = to_jsonable_python(value)
    if plain is None:
        return "-"
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    # One row is one line, whatever a foreign producer wrote, and no control character reaches the terminal.
    return "".join(char if char.isprintable() else " " for char in text)
