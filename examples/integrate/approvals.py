"""`python -m examples.integrate.approvals FILE`: publishes approvals of another time system, in place of time-expense.

What it must get right: an entry has the same `id` for ever; each approval of it the next `revision`, from 1; what was
approved changes only after its cancellation was answered `reversed`, and then comes as the next revision.
"""

import argparse
import asyncio
import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer

from examples.integrate.cloudevents import Message, derived, in_pieces, message

TOPIC = "time-expense.entries"
APPROVED = "proforma.time-expense.entries.approved.v1"
CANCEL = "proforma.time-expense.entries.cancellation-requested.v1"

Row = Mapping[str, str]


def entry_id(source: str, external_id: str) -> UUID:
    """The entry's id in Proforma, made of ours: nobody has to remember which it was."""
    return derived(source, "entry", external_id)


def approved(source: str, rows: Sequence[Row]) -> list[Message]:
    """Approvals as messages: one project each, because the project is the key, and 500 entries at most.

    A row has `external_id`, `revision`, `project`, `resource`, `role`, `date`, `hours`, `approved_by` and `approved_at`
    (RFC 3339), and may have `task`, `description` and `billable_hours` (all of the hours without it).
    """
    return _by_project(source, APPROVED, rows, lambda row: _entry(source, row))


def cancellations(source: str, rows: Sequence[Row]) -> list[Message]:
    """Questions whether these approvals may be taken back: `external_id`, `revision`, `project`, `by`, `at`, `reason`.

    The answer comes on `billing-backlog.answers` with the question's `request_id`: `reversed` is final, `refused`
    names the invoice that holds the work. The same question asked again is the same question.
    """
    return _by_project(source, CANCEL, rows, lambda row: _question(source, row))


def _entry(source: str, row: Row) -> dict[str, Any]:
    return {
        "id": str(entry_id(source, row["external_id"])),
        "external_id": row["external_id"],
        "revision": int(row["revision"]),
        "class": "time",
        "project": row["project"],
        "task": row.get("task") or None,
        "resource": row["resource"],
        "role": row["role"],
        "date": row["date"],
        "quantity": row["hours"],
        "unit": "hour",
        "billable_quantity": row.get("billable_hours") or row["hours"],
        "external_description": row.get("description") or None,
        "approved_by": row["approved_by"],
        "approved_at": row["approved_at"],
    }


def _question(source: str, row: Row) -> dict[str, Any]:
    return {
        "id": str(entry_id(source, row["external_id"])),
        "revision": int(row["revision"]),
        "request_id": str(derived(source, "cancel", row["external_id"], row["revision"], row["at"])),
        "project": row["project"],
        "by": row["by"],
        "at": row["at"],
        "reason": row["reason"],
    }


def _by_project(source: str, kind: str, rows: Iterable[Row], body_of: Any) -> list[Message]:
    projects: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        projects.setdefault(row["project"], []).append(body_of(row))
    return [
        message(source, kind, TOPIC, project, {"entries": list(piece)}, datetime.now(UTC))
        for project, entries in projects.items()
        for piece in in_pieces(entries)
    ]


async def publish(bootstrap: str, messages: Iterable[Message], prefix: str = "") -> None:
    """Sends them in order; returns when the brokers have all of them. After a failure send all of them again."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for one in messages:
            await producer.send_and_wait(prefix + one.topic, one.body, one.key.encode(), headers=one.headers)


def main() -> None:
    """The program: a CSV file of approvals, with the columns of `approved`."""
    parser = argparse.ArgumentParser(prog="python -m examples.integrate.approvals")
    parser.add_argument("file", type=Path)
    parser.add_argument("--kafka", default="127.0.0.1:19092")
    parser.add_argument("--prefix", default="", help="of the topics' names, where the services have one")
    parser.add_argument("--source", default="https://time.example", help="the URI that your system goes by, for ever")
    arguments = parser.parse_args()
    with arguments.file.open(encoding="utf-8", newline="") as file:
        messages = approved(arguments.source, list(csv.DictReader(file)))
    asyncio.run(publish(arguments.kafka, messages, arguments.prefix))
    print(f"{len(messages)} messages")


if __name__ == "__main__":
    main()
