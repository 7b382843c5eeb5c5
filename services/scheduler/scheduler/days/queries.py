"""The days' SQL: a day is what its triggers are."""

SUMMARY = """
select count(*) filter (where status = 'published') as published,
       count(*) filter (where status = 'upcoming' and not held and due_at <= $2) as owed,
       count(*) filter (where status = 'upcoming' and due_at > $2) as upcoming,
       count(*) filter (where held and due_at <= $2) as held,
       count(*) filter (where status = 'superseded') as superseded,
       count(*) filter (where status = 'canceled') as canceled,
       min(published_at) as first_published_at, max(published_at) as last_published_at
from triggers where run_date = $1
"""

# Each from one partial index, whose size is what is owed or held: what was published is in neither.
OWED = """
select min(due_at) as oldest, count(distinct run_date) as days
from triggers where status = 'upcoming' and not held and due_at <= $1
"""
HELD = "select count(*) from triggers where held and due_at <= $1"
