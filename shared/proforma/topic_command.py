"""`create-topics`: makes the topics that are missing, with their own partitions and retention; can let them grow."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from pydantic import ValidationError

from proforma.kafka.errors import Away
from proforma.kafka.topics import create_topics, grow_topics
from proforma.kafka_access import KafkaAccess
from proforma.settings import KafkaSettings
from proforma.topics import TOPICS, Topic

HELP = "make the topics that are missing, with their own partitions and retention"


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _NUMBER_MAX:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and {_NUMBER_MAX}")
    return number


_NUMBER_MAX = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("--replication", type=_number, default=1, help="copies of each partition of a new topic (1)")
    parser.add_argument("--partitions", type=_number, help="of each topic, instead of its own number")
    parser.add_argument("--topic", action="append", help="only this one; may be said again")
    parser.add_argument("--grow", action="store_true", help="give topics that have fewer partitions as many")


def run(arguments: argparse.Namespace) -> None:
    """Prints the names of the topics that were made or grew; exits with 2 or 1 and one line when it cannot."""
    try:
        access = KafkaSettings().kafka_access
    except ValidationError as error:
        _end(2, "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()))
    known = {topic.name: topic for topic in TOPICS}
    unknown = [name for name in arguments.topic or () if name not in known]
    if unknown:
        _end(2, f"no such topic: {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = [known[name] for name in dict.fromkeys(arguments.topic or known)]
    if arguments.partitions is not None:
        wanted = [replace(topic, partitions=arguments.partitions) for topic in wanted]
    try:
        done = asyncio.run(_make(access, wanted, arguments.replication, arguments.grow))
    except Away as error:
        _end(1, f"Kafka: {type(error).__name__}: {error}")
    sys.stdout.write("".join(f"{name}\n" for name in done))


async def _make(access: KafkaAccess, topics: Sequence[Topic], replication: int, grow: bool) -> list[str]:
    made = await create_topics(access, topics, replication)
    return made + (await grow_topics(access, topics) if grow else [])


def _end(code: int, why: str) -> NoReturn:
    sys.stderr.write(f"proforma: {why}\n")
    sys.exit(code)
