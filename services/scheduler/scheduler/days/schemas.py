"""Days as the API shows them."""

import datetime

from proforma.bodies import Output


class DayOut(Output):
    """What one calendar day has done and still owes, in triggers.

    `owed` has begun in its contract's time zone and is not published; `held` has begun too, and its schedule is paused;
    `upcoming` has not begun there. `superseded` was held, and overtaken when its schedule was resumed.
    """

    date: datetime.date
    published: int
    owed: int
    held: int
    upcoming: int
    superseded: int
    canceled: int
    first_published_at: datetime.datetime | None
    last_published_at: datetime.datetime | None
