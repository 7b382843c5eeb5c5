"""`python -m examples.integrate.triggers CONTRACT LINE [DAY]`: another scheduler says that a contract line is due.

billing-backlog decides whether anything runs: a row of the line's schedule with this run date that has not run yet.
A trigger that comes twice, or for no such row, does nothing; one that comes before its day waits for it.
"""

import argparse
import asyncio
from datetime import UTC, date, datetime
from uuid import uuid4

from examples.integrate.approvals import publish
from examples.integrate.cloudevents import Message, derived, message

TOPIC = "scheduler.triggers"
DUE = "proforma.scheduler.run.due.v1"


def due(source: str, contract_id: str, contract_line_id: str, run_date: date) -> Message:
    """The trigger of one contract line on one day. Row and version are for information: ours are made up.

    Under a fresh id each time: one that came before its schedule was made did nothing, and may be said again.
    """
    body = {
        "contract_id": contract_id,
        "contract_line_id": contract_line_id,
        "run_date": run_date.isoformat(),
        "row_id": str(derived(source, contract_line_id, run_date)),
        "schedule_version": 0,
    }
    return message(source, DUE, TOPIC, contract_id, body, datetime.now(UTC), uuid4())


def main() -> None:
    """The program: one trigger, due today unless a day is given."""
    parser = argparse.ArgumentParser(prog="python -m examples.integrate.triggers")
    parser.add_argument("contract")
    parser.add_argument("line")
    parser.add_argument("day", nargs="?", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--kafka", default="127.0.0.1:19092")
    parser.add_argument("--prefix", default="", help="of the topics' names, where the services have one")
    parser.add_argument("--source", default="https://cron.example", help="the URI that your system goes by, for ever")
    arguments = parser.parse_args()
    one = due(arguments.source, arguments.contract, arguments.line, arguments.day)
    asyncio.run(publish(arguments.kafka, [one], arguments.prefix))


if __name__ == "__main__":
    main()
