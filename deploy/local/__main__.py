"""`python -m local up | down | reset | status`, and `operate <service> <command>` on the stack that is up."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import psutil

from local.operate import operate
from local.processes import LocalError
from local.stack import Stack

FOLDER = Path(__file__).parents[2] / ".proforma"
MEGABYTE = 1_000_000


def status(stack: Stack) -> int:
    """Print what runs and what it takes; 0 when everything does."""
    total, missing = 0.0, 0
    for name, running in stack.running().items():
        if running is None:
            missing += 1
            print(f"  {name:<26}not running")
            continue
        taken = memory(running.pid)
        total += taken
        print(f"  {name:<26}{running.pid:>8}{taken:>8.0f} MB")
    print(f"  {'together':<34}{total:>8.0f} MB")
    for part in stack.parts:
        if part.running and not part.ready():
            missing += 1
            print(f"  {part.name} is not ready: {part.health_url}")
    return 1 if missing else 0


def memory(pid: int) -> float:
    """Megabytes of a process and its children; memory that several share is counted once, where the system tells."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            held = one.memory_full_info()
            total += getattr(held, "pss", held.rss)
    except psutil.Error:
        return total / MEGABYTE
    return total / MEGABYTE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local")
    parser.add_argument("command", choices=["up", "down", "reset", "status", "operate"])
    parser.add_argument("words", nargs=argparse.REMAINDER, help="of operate: the service and its command")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    stack = Stack(given.folder)
    try:
        if given.command == "status":
            return status(stack)
        if given.command == "operate":
            return operate(stack, given.words)
        {"up": stack.up, "down": stack.down, "reset": stack.reset}[given.command]()
    except LocalError as error:
        print(f"proforma: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
