"""The container's first process: `invoicing api` runs `python -m invoicing api`.

The kernel ignores a signal for process 1 that it has no handler for, so a container that is stopped while it still
imports would be killed ten seconds later. Here SIGTERM has one from the first line on; api and worker replace it by
their own, which finish what is in hand.
"""

import runpy
import signal
import sys
from types import FrameType
from typing import NoReturn

PROGRAMS = ("time-expense", "billing-backlog", "invoicing", "scheduler", "proforma")
TERMINATED = 128 + signal.SIGTERM


def end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends at once. Not with 0: a migration that was cut off has not succeeded."""
    sys.exit(TERMINATED)


def main(arguments: list[str]) -> None:
    """Runs the program that the first argument names, with the others; exits with 2 when there is no such program."""
    signal.signal(signal.SIGTERM, end)
    name = arguments[0].replace("_", "-") if arguments else ""
    if name not in PROGRAMS:
        sys.stderr.write(
            f"proforma: give a service and what it shall be, such as `invoicing api`\n"
            f"  {' | '.join(PROGRAMS[:-1])}   api | worker | migrate, or an operator's command\n"
            f"  proforma   create-topics | token\n"
        )
        sys.exit(2)
    module = name.replace("-", "_")
    sys.argv = [module, *arguments[1:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
