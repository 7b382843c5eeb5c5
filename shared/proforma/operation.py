"""The commands that every service has: dead letters, outbox, jobs, what waits."""

import argparse
from collections.abc import Callable, Sequence

from proforma import commands, dead_letters
from proforma.commands import Command
from proforma.runtime import Runtime
from proforma.worker import Work

_LIST_MAX = 10_000


def operator_commands(work: Callable[[Runtime], Work]) -> Sequence[Command]:
    """The commands; `work` knows what the service does with messages."""
    return (Command("dead-letters list", "messages that could not take effect", _which_letters, _list_letters),)


def _which_letters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", choices=["waiting", "replayed", "dropped", "all"], default="waiting")
    parser.add_argument("--limit", type=_limit, default=100, help=f"at most so many, up to {_LIST_MAX}")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _LIST_MAX):
        raise argparse.ArgumentTypeError(f"a number from 1 to {_LIST_MAX}")
    return int(text)


async def _list_letters(runtime: Runtime, arguments: argparse.Namespace) -> int:
    status = None if arguments.status == "all" else arguments.status
    async with runtime.database.transaction() as session:
        letters = await dead_letters.page(session, None, status, arguments.limit)
    shown = ("id", "topic", "partition", "kafka_offset", "event_type", "key", "status", "created_at", "reason")
    commands.show([{name: letter[name] for name in shown} for letter in letters], arguments)
    return commands.DONE
