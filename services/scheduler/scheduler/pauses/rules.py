"""What pausing and resuming do to a schedule, by its state."""

from typing import Literal

Action = Literal["paused", "resumed"]


def changes(action: Action, status: str, paused: bool) -> bool | str:
    """True: the action changes the schedule; False: it is as wanted already; else why it is refused.

    An ended one cannot be paused, because nothing of it is triggered any more; it can be resumed, which triggers
    nothing.
    """
    if (action == "paused") == paused:
        return False
    if action == "paused" and status == "ended":
        return "the schedule has ended: it triggers nothing any more"
    return True
