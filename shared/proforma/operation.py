"""The commands that every service has: dead letters, outbox, jobs, what waits.

Each does what the HTTP route of its name does, by the same functions: it exists for the hour in which no token can be
had or the api is what is broken.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import commands, dead_letters, job_lists, outbox, relay, waiting
from proforma.admin import DeadLetterWhole, dead_letter_whole
from proforma.bodies import Reason
from proforma.commands import DONE, REFUSED, Command
from proforma.context import Context
from proforma.errors import Invalid, Problem
from proforma.runtime import Runtime
from proforma.worker import Work

_LIST_MAX = 10_000
_REASON: TypeAdapter[str] = TypeAdapter(Reason)

WorkOf = Callable[[Runtime], Work]
Decide = Callable[[AsyncSession, Context, UUID], Awaitable[Mapping[str, Any]]]


def operator_commands(work: WorkOf) -> Sequence[Command]:
    """The commands; `work` knows what the service does with messages and whom it asks again."""
    return (
        Command("dead-letters list", "messages that could not take effect", _which_letters, _list_letters),
        Command("dead-letters show", "one of them, with its body and headers", _one_letter, _show_letter),
        Command(
            "dead-letters replay", "handle them again, as they came or with a repaired body",
            _letters_to_replay, partial(_replay, work), changes=True,
        ),
        Command(
            "dead-letters drop", "give them up, with a reason; what waited for them is answered",
            _letters_to_drop, partial(_drop, work), changes=True,
        ),
        Command("outbox status", "what Kafka does not have yet, and who sends", commands.no_arguments, _outbox),
        Command("jobs list", "long work, newest first", _which_jobs, _list_jobs),
        Command("waiting list", "what waits and since when, oldest first", limited, _list_waiting),
        Command(
            "waiting ask", "ask the question of a waiting thing again", _one_thing, partial(_ask, work), changes=True
        ),
    )  # fmt: skip


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _LIST_MAX):
        raise argparse.ArgumentTypeError(f"a number from 1 to {_LIST_MAX}")
    return int(text)


def limited(parser: argparse.ArgumentParser) -> None:
    """For a command that lists: how many at most."""
    parser.add_argument("--limit", type=_limit, default=100, help=f"at most so many, up to {_LIST_MAX} (100)")


def reason_text(text: str) -> str:
    """A reason as HTTP takes it; what is none is a wrong argument."""
    try:
        return _REASON.validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(error.errors()[0]["msg"]) from error


def _which_letters(parser: argparse.ArgumentParser) -> None:
    states = ["waiting", "replayed", "dropped", "all"]
    parser.add_argument("--status", choices=states, default="waiting", help="in this state (waiting)")
    limited(parser)


def _one_letter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", type=UUID, help="as `dead-letters list` shows it")


def _letters_to_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", type=UUID, nargs="+", metavar="id", help="one after another, each by itself")
    parser.add_argument("--body", type=Path, metavar="file", help="the repaired JSON body, of one letter only")


def _letters_to_drop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", type=UUID, nargs="+", metavar="id", help="one after another, each by itself")
    parser.add_argument("--reason", type=reason_text, required=True, help="why; kept with them")


def _which_jobs(parser: argparse.ArgumentParser) -> None:
    states = ["queued", "running", "succeeded", "failed", "canceled"]
    parser.add_argument("--status", choices=states, help="in this state (all)")
    limited(parser)


def _one_thing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="as `waiting list` shows it")


async def _list_letters(runtime: Runtime, arguments: argparse.Namespace) -> int:
    status = None if arguments.status == "all" else arguments.status
    async with runtime.database.transaction() as session:
        letters = await dead_letters.page(session, None, status, arguments.limit)
    shown = ("id", "topic", "partition", "offset", "event_type", "key", "status", "created_at", "reason")
    rows = [{**letter, "offset": letter["kafka_offset"]} for letter in letters]
    commands.show([{name: row[name] for name in shown} for row in rows], arguments)
    return DONE


async def _show_letter(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with runtime.database.transaction() as session:
        letter = dead_letter_whole(await dead_letters.show(session, arguments.id))
    commands.show_one(_flat(letter) if not arguments.json else letter.model_dump(), arguments)
    return DONE


def _flat(letter: DeadLetterWhole) -> dict[str, object]:
    fields = letter.model_dump(exclude={"headers", "body", "repaired"})
    headers = {f"header {one.name}": one.value for one in letter.headers}
    return {**fields, **headers, "body": letter.body, "repaired": letter.repaired}


async def _replay(work: WorkOf, runtime: Runtime, arguments: argparse.Namespace) -> int:
    repaired = _body(arguments)
    handlers = work(runtime).handlers

    async def replay(session: AsyncSession, context: Context, letter: UUID) -> Mapping[str, Any]:
        return await dead_letters.replay(session, context, handlers, letter, repaired)

    return await _decide(runtime, arguments, replay)


def _body(arguments: argparse.Namespace) -> str | None:
    if arguments.body is None:
        return None
    if len(arguments.ids) > 1:
        raise Invalid("--body is for one letter: another one has another body")
    try:
        text: str = arguments.body.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"--body: {arguments.body}: {error}") from error
    return dead_letters.repaired_body(text)


async def _drop(work: WorkOf, runtime: Runtime, arguments: argparse.Namespace) -> int:
    handlers = work(runtime).handlers

    async def drop(session: AsyncSession, context: Context, letter: UUID) -> Mapping[str, Any]:
        return await dead_letters.drop(session, context, handlers, letter, arguments.reason)

    return await _decide(runtime, arguments, drop)


async def _decide(runtime: Runtime, arguments: argparse.Namespace, decide: Decide) -> int:
    """Decides about letter after letter, each in a transaction of its own; those that are refused stay as they are."""
    context = commands.acting(runtime, arguments)
    decided = []
    refused = 0
    for letter in dict.fromkeys(arguments.ids):
        try:
            async with runtime.database.transaction() as session:
                row = await decide(session, context, letter)
        except Problem as problem:
            sys.stderr.write(f"{runtime.service}: {letter}: {problem.detail}\n")
            refused += 1
        else:
            decided.append({name: row[name] for name in ("id", "status", "decided_by", "decided_at", "event_type")})
    if decided or arguments.json:
        commands.show(decided, arguments)
    return REFUSED if refused else DONE


async def _outbox(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with runtime.database.transaction() as session:
        topics = await outbox.pending(session)
        leader = await relay.leader(session)
    oldest = min((topic["oldest"] for topic in topics), default=None)
    summary = {"pending": sum(topic["pending"] for topic in topics), "oldest": oldest, "leader": leader}
    if arguments.json:
        commands.show_one({**summary, "topics": topics}, arguments)
        return DONE
    commands.show_one({**summary, "leader": leader or "nobody: no worker sends"}, arguments)
    if topics:
        sys.stdout.write("\n")
        commands.show(topics, arguments)
    return DONE


async def _list_jobs(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with runtime.database.transaction() as session:
        found = await job_lists.newest(session, arguments.status, arguments.limit)
    commands.show(found, arguments)
    return DONE


async def _list_waiting(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with runtime.database.transaction() as session:
        rows = await waiting.page(session, (None, "", ""), arguments.limit)
    commands.show(rows, arguments, none="nothing waits")
    return DONE


async def _ask(work: WorkOf, runtime: Runtime, arguments: argparse.Namespace) -> int:
    context = commands.acting(runtime, arguments)
    async with runtime.database.transaction() as session:
        await waiting.ask(session, context, work(runtime).asks, arguments.id)
    commands.show_one({"asked": arguments.id, "by": context.actor}, arguments)
    return DONE
