"""One line for one piece of work: (project, class, task, day) lies on at most one of the lines (design §5.6). Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing_backlog.validity import Validity


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a line takes. `tasks` None is every task, and work without one; days are inclusive, None is open."""

    line_id: UUID
    project: str
    classes: frozenset[str]
    tasks: frozenset[str] | None
    days: Validity


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two lines and a piece of work that both would take: `task` None is any task, `day` None is any day."""

    first: Coverage
    second: Coverage
    item_class: str
    task: str | None
    day: date | None


def overlap(a: Coverage, b: Coverage) -> Overlap | None:
    """The work that both lines would take, by an example; None when no piece of work can lie on both."""
    classes = a.classes & b.classes
    if a.project != b.project or not classes or not a.days.meets(b.days):
        return None
    tasks = b.tasks if a.tasks is None else a.tasks if b.tasks is None else a.tasks & b.tasks
    if tasks is not None and not tasks:
        return None
    begins = [day for day in (a.days.first, b.days.first) if day is not None]
    ends = [day for day in (a.days.last, b.days.last) if day is not None]
    day = max(begins) if begins else min(ends, default=None)
    return Overlap(a, b, min(classes), min(tasks) if tasks is not None else None, day)


def first_overlap(lines: Iterable[Coverage]) -> Overlap | None:
    """The first two of the lines that would take the same work, the later one second; None when there are none.

    Every line is held only against earlier ones that share a task of a class of its project (or have all tasks):
    a thousand lines of one project with tasks of their own are a thousand look-ups, not half a million comparisons.
    """
    earlier = _Earlier()
    for line in lines:
        for other in earlier.near(line):
            found = overlap(other, line)
            if found is not None:
                return found
        earlier.add(line)
    return None


class _Earlier:
    """Lines by (project, class) and task. A line of all tasks stands under the task None."""

    def __init__(self) -> None:
        self._by_work: dict[tuple[str, str], dict[str | None, list[Coverage]]] = defaultdict(lambda: defaultdict(list))

    def near(self, line: Coverage) -> Iterator[Coverage]:
        for item_class in line.classes:
            by_task = self._by_work[line.project, item_class]
            for task in by_task if line.tasks is None else (None, *line.tasks):
                yield from by_task.get(task, ())

    def add(self, line: Coverage) -> None:
        for item_class in line.classes:
            for task in (None,) if line.tasks is None else line.tasks:
                self._by_work[line.project, item_class][task].append(line)
