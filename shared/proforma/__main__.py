"""`python -m proforma create-topics`: makes the topics that are missing, with their own partitions and retention."""

import argparse

from proforma import topic_command


def main() -> None:
    """Reads PROFORMA_KAFKA, PROFORMA_TOPIC_PREFIX and, where they are set, the PROFORMA_KAFKA_… of a login."""
    parser = argparse.ArgumentParser(prog="python -m proforma")
    commands = parser.add_subparsers(dest="command", required=True)
    topic_command.add_arguments(commands.add_parser("create-topics", help=topic_command.HELP))
    topic_command.run(parser.parse_args())


main()
