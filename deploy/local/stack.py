"""The whole stack in one folder: what `make up`, `down`, `reset` and `status` do."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from local.databases import Passwords, ServiceDatabase, create_databases
from local.kafka import Kafka
from local.kafka import answers as kafka_answers
from local.keys import Keys
from local.postgres import Postgres, blocking
from local.postgres import answers as postgres_answers
from local.processes import LocalError, Running, wait_until
from local.services import (
    PortTaken,
    World,
    all_parts,
    fingerprint,
    prepare,
    stop_parts,
    wait_until_ready,
)

POSTGRES_PORT = 55432
KAFKA_PORT = 19092
GIVEN_SECONDS = 20

Result = TypeVar("Result")


class Stack:
    """PostgreSQL, Kafka and the services' processes, with all they keep below `folder`.

    `environment` may name a `POSTGRES` (URL of a login that may create databases and logins) and a `KAFKA`
    (host:port) to use in place of own ones.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.file = self.folder / "stack.json"
        self.given_postgres = environment.get("POSTGRES", "")
        self.given_kafka = environment.get("KAFKA", "")
        self.parts = all_parts(self.folder)
        # While services run, a server that died comes back where they look for it.
        alive = any(part.running for part in self.parts)
        logs = self.folder / "logs"
        self.postgres = Postgres(
            self.folder / "postgres",
            port=POSTGRES_PORT,
            keep_port=alive,
            durable=durable,
            log=logs / "postgres.log",
        )
        self.kafka = Kafka(
            self.folder / "kafka",
            port=KAFKA_PORT,
            keep_port=alive,
            durable=durable,
            log=logs / "kafka.log",
        )

    def up(self) -> None:
        """Start what does not run, wait until all is ready, and write `stack.json`."""
        with self._alone():
            began = time.monotonic()
            if self._settled():
                print(f"Proforma is up already: {self.file}")
                return
            # The two wait more than they work, and neither needs the other.
            with ThreadPoolExecutor(2) as pool:
                kafka = pool.submit(self._start_kafka)
                databases = self._start_databases()
                world = World(self.folder, kafka.result(), databases, self._keys().public_file)
            step("topics, migrations", lambda: prepare(world))
            step("services", lambda: self._start_services(world))
            self._write(world)
            print(f"Proforma is up after {time.monotonic() - began:.1f} s: {self.file}")

    def down(self) -> None:
        """Stop everything in order and keep the data."""
        if not self.folder.exists():
            print("Proforma is not up")
            return
        with self._alone():
            step("services stopped", lambda: stop_parts(self.parts))
            step("Kafka stopped", self.kafka.stop)
            step("PostgreSQL stopped", self.postgres.stop)
            self.file.unlink(missing_ok=True)

    def reset(self) -> None:
        """Stop everything and delete the data."""
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)
        print(f"{self.folder} is gone")

    def running(self) -> dict[str, Running | None]:
        """What this stack has started, by name; servers given from outside are not in it."""
        found: dict[str, Running | None] = {}
        if not self.given_postgres:
            found["postgres"] = self.postgres.running
        if not self.given_kafka:
            found["kafka"] = self.kafka.running
        return found | {part.name: part.running for part in self.parts}

    def _settled(self) -> bool:
        """Whether everything runs, with the addresses and settings asked for, and says that it is ready."""
        if not self.file.exists() or not all(self.running().values()):
            return False
        told = json.loads(self.file.read_text())
        same = [told["given"], told.get("settings")] == [[self.given_postgres, self.given_kafka], fingerprint({})]
        return same and all(part.ready() for part in self.parts)

    def _start_kafka(self) -> str:
        if self.given_kafka:
            address = step("Kafka (given)", lambda: _expect("KAFKA", self.given_kafka, kafka_answers))
            self.kafka.stop()
            return address
        return step("Kafka", self.kafka.start)

    def _start_databases(self) -> dict[str, ServiceDatabase]:
        if self.given_postgres:
            url = step("PostgreSQL (given)", lambda: _expect("POSTGRES", self.given_postgres, _postgres_answers))
            self.postgres.stop()
        else:
            url = step("PostgreSQL", self.postgres.start)
        passwords = Passwords(self.folder / "passwords.json")
        return step("databases", lambda: create_databases(url, passwords))

    def _start_services(self, world: World, tries: int = 3) -> None:
        """Start what does not run, or runs with other addresses than it should."""
        outdated = [part for part in self.parts if not part.up_to_date(world.environment(part.service))]
        stop_parts([part for part in outdated if part.running])
        ports = {part.port for part in self.parts if part not in outdated}
        for part in outdated:
            part.start(world.environment(part.service), taken=frozenset(ports))
            ports.add(part.port)
        try:
            wait_until_ready(self.parts)
        except PortTaken:
            if tries == 1:
                raise
            self._start_services(world, tries - 1)

    def _keys(self) -> Keys:
        return Keys(self.folder / "keys")

    def _write(self, world: World) -> None:
        """Tell where everything is. For its owner's eyes, because passwords and tokens are in it."""
        facts: dict[str, Any] = {
            "services": {part.service: part.url for part in self.parts if part.kind == "api"},
            "workers": {part.service: part.health_url for part in self.parts if part.kind == "worker"},
            "tokens": self._keys().tokens(),
            "kafka": world.kafka,
            "databases": {service: database.url for service, database in world.databases.items()},
            "pids": {name: running.pid for name, running in self.running().items() if running},
            "given": [self.given_postgres, self.given_kafka],
            "settings": fingerprint({}),
        }
        fresh = self.file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(facts, indent=2) + "\n")
        fresh.replace(self.file)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time: two `make up` at once would start everything twice."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("waiting for another command on this stack …")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def step(name: str, work: Callable[[], Result]) -> Result:
    """Do it and print how long it took."""
    began = time.monotonic()
    result = work()
    # Without the password that a URL holds.
    address = f"  {result.rpartition('@')[2]}" if isinstance(result, str) else ""
    print(f"  {name:<20}{time.monotonic() - began:5.1f} s{address}", flush=True)
    return result


def _expect(variable: str, address: str, answer: Callable[[str], bool]) -> str:
    if not wait_until(lambda: answer(address), GIVEN_SECONDS):
        raise LocalError(f"nothing answers at the address in {variable}")
    return address


def _postgres_answers(url: str) -> bool:
    return blocking(postgres_answers(url))
