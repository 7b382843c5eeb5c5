"""The commands about positions and about sending again (`proforma.positions`)."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

from proforma import commands, positions
from proforma.commands import DONE, Command
from proforma.operation import WorkOf, limited, reason_text
from proforma.runtime import Runtime

_OFFSET_MAX = 2**63 - 1


def position_commands(work: WorkOf) -> Sequence[Command]:
    """The commands; `work` knows which topics the service reads."""
    return (
        Command("positions show", "where each partition is read on, beside what Kafka has of it",
                commands.no_arguments, partial(_show, work)),
        Command("positions set", "read on somewhere else: where the log begins, or at an offset that it has",
                _where, _set, changes=True),
        Command("positions history", "what was set and sent again by hand, and why, newest first", limited, _history),
        Command("outbox send-again", "send once more what this service has sent to a topic; who knows it lets it pass",
                _what, _send_again, changes=True),
    )  # fmt: skip


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _OFFSET_MAX):
        raise argparse.ArgumentTypeError("a whole number from 0 on")
    return int(text)


def _to(text: str) -> positions.To:
    return "earliest" if text == "earliest" else _whole(text)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no instant such as 2026-03-02T09:00:00Z") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", help="as `positions show` names it")
    parser.add_argument("--partition", type=_whole, help="this one only (all of the topic)")
    parser.add_argument("--to", type=_to, required=True, metavar="where", help="earliest, or an offset")
    parser.add_argument("--reason", type=reason_text, required=True, help="why; kept with it")


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", help="one that this service writes")
    parser.add_argument("--since-id", type=_whole, default=1, help="from this row of the outbox on (the first)")
    parser.add_argument("--since", type=_instant, metavar="instant", help="what was written then and later (all)")
    parser.add_argument("--reason", type=reason_text, required=True, help="why; kept with it")


async def _show(work: WorkOf, runtime: Runtime, arguments: argparse.Namespace) -> int:
    found = await positions.show(runtime, work(runtime).handlers.topics)
    commands.show([asdict(one) for one in found], arguments)
    return DONE


async def _set(runtime: Runtime, arguments: argparse.Namespace) -> int:
    context = commands.acting(runtime, arguments)
    done = await positions.set_position(
        runtime, context, arguments.topic, arguments.partition, arguments.to, arguments.reason
    )
    commands.show([{"topic": at[0], "partition": at[1], "position": offset} for at, offset in done.items()], arguments)
    return DONE


async def _history(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with runtime.database.transaction() as session:
        rows = await positions.kept(session, arguments.limit)
    commands.show(rows, arguments)
    return DONE


async def _send_again(runtime: Runtime, arguments: argparse.Namespace) -> int:
    context = commands.acting(runtime, arguments)
    events = await positions.send_again(
        runtime, context, arguments.topic, arguments.reason, since_id=arguments.since_id, since=arguments.since
    )
    commands.show_one({"topic": arguments.topic, "events": events, "by": context.actor}, arguments)
    return DONE
