"""`make test-compose`: builds the image, brings Compose up from nothing, and plays the main job while containers die.

    PYTHONPATH=deploy:. .venv/bin/python -m tests.compose.play [--short] [--if-possible]

Each container is killed and restarted in the middle of it, in a random order; every invoice must say what the time
sheet says. Ends with 1 and what was off. `--if-possible` is for `make test`: one line where there is no engine.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from local import dotenv
from local.compose import addresses, tokens
from local.databases import SERVICES
from local.processes import free_port
from tests.compose import flow
from tests.compose.checks import check_stack, refuses_without_passwords, size_beyond_base
from tests.compose.engine import ComposeError, Stack, missing, run
from tests.compose.remote import Remote
from tests.compose.strikes import STOP_LIMIT_S, WELL_S, Striker, strikes
from tests.faults import sheets
from tests.flows import sip
from tests.flows.main_job import Hours

T = TypeVar("T")
IMAGE_BYTES_MAX = 250_000_000
# What it is held to, on a machine that has nothing else to do; and when waiting is given up.
READY_SECONDS, READY_LIMIT = 90, 400
SEED = 20
MADE_ROWS = 900


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose.play")
    parser.add_argument("--short", action="store_true", help="a made time sheet, and each container is killed only")
    parser.add_argument("--if-possible", action="store_true", help="one line and 0 where there is no engine")
    given = parser.parse_args(arguments)
    lacking = missing()
    if lacking:
        word = "not run" if given.if_possible else "cannot run"
        print(f"test-compose: {word}, {lacking}")
        return 0 if given.if_possible else 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="proforma-compose-") as folder:
        env_file = Path(folder, "env")
        try:
            play(env_file, short=given.short)
        except (ComposeError, AssertionError, ExceptionGroup) as error:
            print(f"test-compose: {_told(error)}", file=sys.stderr)
            return 1
    print(f"test-compose: passed in {time.monotonic() - began:.0f} s")
    return 0


def play(env_file: Path, *, short: bool) -> None:
    """All of it; raises ComposeError or AssertionError with what is off."""
    image = f"proforma-test:{os.getpid()}"
    values = own_env(env_file, image)
    stack = Stack(f"proforma-test-{os.getpid()}", env_file)
    refuses_without_passwords(stack, env_file.parent)
    try:
        step("image built", lambda: stack.compose("build", "topics"))
        beyond = size_beyond_base(image)
        _hold(beyond < IMAGE_BYTES_MAX, f"the image is {beyond / 1e6:.0f} MB beyond its base")
        took = step("up from nothing to ready", lambda: _up(stack))
        late = "" if took <= READY_SECONDS else ": slower than it is held to on an idle machine"
        print(f"  {beyond / 1e6:.0f} MB beyond the base; ready {took:.0f} s after the build{late}", flush=True)
        check_stack(stack)
        remote = Remote({}, addresses(values), tokens(values))
        _flow(stack, remote, short=short)
        step("all well again", lambda: stack.wait_healthy([one.service for one in stack.working()], WELL_S))
        check_stack(stack)
        step("stopped", lambda: _stop(stack))
    finally:
        step("removed", lambda: _remove(stack, image))


def _flow(stack: Stack, remote: Remote, *, short: bool) -> None:
    sheet = _sheet(short)
    services = sorted(one.service for one in stack.working())
    blows = strikes(services, ["kill"] if short else ["kill", "restart"], SEED)
    striker = Striker(stack, SEED, patient=not short)
    step("main job", lambda: asyncio.run(flow.play(remote, sheet, striker, blows, lambda text: print(f"    {text}"))))
    _hold(sorted(map(str, striker.dealt)) == sorted(map(str, blows)), "not every container was hit")
    print(
        f"  {len(sheet):,} rows billed to the cent under {len(blows)} blows; calls sent again: {flow.repeated(remote)}"
    )
    if striker.longest_end_s:
        print(f"  a service that was asked to end took {striker.longest_end_s:.1f} s at most")


def _sheet(short: bool) -> list[Hours]:
    if short or not sip.TASKS.exists():
        why = "the short play" if short else "the real time sheet is not on this machine"
        print(f"  {why}: a made time sheet of {MADE_ROWS:,} rows")
        return sheets.sheet(MADE_ROWS)
    return sip.sheet()


def own_env(path: Path, image: str) -> dict[str, str]:
    """An env file as `make env` writes it, with an image and ports of its own: other stacks are not disturbed."""
    dotenv.write(path)
    taken: set[int] = set()
    for name in [*(f"{database.upper()}_PORT" for database in SERVICES.values()), "KAFKA_PORT"]:
        port = free_port(taken=frozenset(taken))
        taken.add(port)
        with path.open("a") as file:
            file.write(f"{name}={port}\n")
    with path.open("a") as file:
        file.write(f"PROFORMA_IMAGE={image}\n")
    return dotenv.read(path)


def _up(stack: Stack) -> float:
    began = time.monotonic()
    stack.compose("up", "-d")
    stack.wait_healthy([one.service for one in stack.working()], READY_LIMIT)
    return time.monotonic() - began


def _stop(stack: Stack) -> None:
    stack.compose("stop", "--timeout", str(STOP_LIMIT_S), *(one.service for one in stack.working()))
    killed = [one.service for one in stack.working() if one.exit_code not in (0, 143)]
    _hold(not killed, f"did not end by themselves: {', '.join(killed)}")


def _remove(stack: Stack, image: str) -> None:
    stack.remove()
    run(["docker", "rmi", "-f", image])


def step(name: str, work: Callable[[], T]) -> T:
    """Does it and prints how long it took."""
    began = time.monotonic()
    result = work()
    print(f"  {name:<28}{time.monotonic() - began:6.1f} s", flush=True)
    return result


def _hold(true: bool, otherwise: str) -> None:
    if not true:
        raise ComposeError(otherwise)


def _told(error: BaseException) -> str:
    """The first cause, in words."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) or repr(error)


if __name__ == "__main__":
    sys.exit(main())
