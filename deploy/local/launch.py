"""Turns itself into another program, after giving up what that program must not have.

Runs as a script of its own (`python -I -S launch.py …`), because the two things done here belong
between fork and exec, where Python code in a process with threads can hang.

* PostgreSQL refuses to run as root. With `--user`, root becomes that user first, but keeps the one
  capability to pass through closed folders: the alternative, opening root's home to everybody, is
  worse.
* A test run that is killed must not leave servers behind. With `--die-with-parent` the kernel
  (Linux) sends a signal when the parent ends.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys

PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_SET_PDEATHSIG = 1
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _hold_capabilities() -> None:
    """Let capabilities survive the change of user.

    PostgreSQL looks for its own files with access(), which ignores capabilities of other users than root unless
    NO_SETUID_FIXUP is set. That needs a right which some containers lack; then closed folders stay closed.
    """
    _libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    _libc().prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)


def _keep_only_passage() -> None:
    """Of all capabilities keep CAP_DAC_OVERRIDE, over the coming exec; without it where it is not to be had."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    for bit in (1 << CAP_DAC_OVERRIDE, 0):
        # Three sets (effective, permitted, inheritable) for capabilities 0-31, then for 32-63.
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        if _libc().capset(header, sets) == 0:
            _libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)
            return
    sys.exit("cannot give up the capabilities of root")


def become(user: str) -> None:
    """Become `user` for good."""
    entry = pwd.getpwnam(user)
    linux = sys.platform == "linux"
    if linux:
        _hold_capabilities()
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if linux:
        _keep_only_passage()


def die_with(parent: int, number: int) -> None:
    """Ask for signal `number` when the parent ends. A parent that is gone already is an end, too."""
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user")
    parser.add_argument("--die-with-parent", type=int, metavar="PID")
    parser.add_argument("--signal", type=int, default=int(signal.SIGKILL))
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if given.user is not None:
        become(given.user)
    # After the change of user, because that change clears the request.
    if given.die_with_parent is not None:
        die_with(given.die_with_parent, given.signal)
    os.execv(given.command[0], given.command)  # noqa: S606 (no shell is what we want)


if __name__ == "__main__":
    main()
