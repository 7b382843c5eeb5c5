"""`python -m proforma create-topics`: makes the topics that are missing, with their own partitions and retention."""

import argparse
import asyncio
import os
import sys

from proforma.kafka import create_topics
from proforma.topics import TOPICS


def main() -> None:
    """Reads PROFORMA_KAFKA and PROFORMA_TOPIC_PREFIX."""
    parser = argparse.ArgumentParser(prog="python -m proforma")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create-topics")
    create.add_argument("--replication", type=int, default=1)
    arguments = parser.parse_args()
    bootstrap = os.environ.get("PROFORMA_KAFKA")
    if not bootstrap:
        sys.exit("proforma: set PROFORMA_KAFKA, such as 127.0.0.1:9092")
    prefix = os.environ.get("PROFORMA_TOPIC_PREFIX", "")
    made = asyncio.run(create_topics(bootstrap, TOPICS, prefix, arguments.replication))
    sys.stdout.write("".join(f"{name}\n" for name in made))


main()
