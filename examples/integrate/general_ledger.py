"""`python -m examples.integrate.general_ledger`: reads Proforma's topics into a general ledger, each message once.

It commits its offsets after its own transaction: what it had no time to commit comes again, and the store knows it.
"""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from examples.integrate.cloudevents import attribute
from examples.integrate.store import Received, Store

TOPICS = ("billing-backlog.actuals", "invoicing.invoices")
GROUP = "example.general-ledger"
POLL_MS = 500
BATCH = 500


async def follow(bootstrap: str, store: Store, stop: asyncio.Event, *, prefix: str = "", quiet_s: int = 0) -> None:
    """Reads until `stop` is set, or, where `quiet_s` is given, until nothing has come for as many seconds.

    Raises what a message raises that cannot be posted: it stops there, and begins there again. A general ledger that
    went on without it would be wrong, and nobody would know.
    """
    consumer = AIOKafkaConsumer(
        *(prefix + topic for topic in TOPICS), bootstrap_servers=bootstrap, group_id=prefix + GROUP,
        enable_auto_commit=False, auto_offset_reset="earliest",
    )  # fmt: skip
    await consumer.start()
    try:
        silent = 0
        while not stop.is_set() and not (quiet_s and silent * POLL_MS >= quiet_s * 1000):
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            silent = silent + 1 if not fetched else 0
            for records in fetched.values():
                store.take([_received(record.headers, record.value) for record in records])
            if fetched:
                # Lost with a rebalance: then somebody reads it once more, which does no harm.
                with contextlib.suppress(KafkaError):
                    await consumer.commit()
    finally:
        await consumer.stop()


def _received(headers: list[tuple[str, bytes]], body: bytes) -> Received:
    return Received(attribute(headers, "ce_id"), attribute(headers, "ce_type"), body)


def trial_balance(store: Store) -> str:
    """A line for each account; every currency adds up to zero."""
    lines = [f"{account:<22}{currency}{amount:>18,.2f}" for (account, currency), amount in store.balances().items()]
    waiting = [f"incomplete: invoice {one}, {seen} chunks so far" for one, seen in store.incomplete().items()]
    return "\n".join([*lines, *waiting]) or "nothing is posted"


async def _main(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    with Store(arguments.store) as store:
        await follow(arguments.kafka, store, stop, prefix=arguments.prefix, quiet_s=arguments.quiet)
        print(trial_balance(store))


def main() -> None:
    """The program: follows until it is told to stop, then shows where the accounts stand."""
    parser = argparse.ArgumentParser(prog="python -m examples.integrate.general_ledger")
    parser.add_argument("--kafka", default="127.0.0.1:19092")
    parser.add_argument("--store", type=Path, default=Path("general-ledger.sqlite"))
    parser.add_argument("--prefix", default="", help="of the topics' names, where the services have one")
    parser.add_argument("--quiet", type=int, default=0, help="end when nothing has come for so many seconds")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
