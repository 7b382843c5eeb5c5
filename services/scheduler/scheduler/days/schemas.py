"""Days as the API shows them."""

import datetime

from proforma.bodies import Output


class DayOut(Output):
    """What one calendar day has done and still owes, in triggers.

    `owed` has begun in its contract's time zone and is not published; `upcoming` has not begun there.
    """

    date: datetime.date
    published: int
    owed: int
    upcoming: int
    canceled: int
    first_published_at: datetime.datetime | None
    last_published_at: datetime.datetime | None
