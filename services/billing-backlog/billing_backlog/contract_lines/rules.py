"""Rules of contract lines. Pure.

One line for one piece of work: (project, class, task, day) lies on at most one of the lines (design §5.6); and which
fields fit together.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from billing_backlog.validity import Validity
from proforma.money import AMOUNT_MAX, amount_of, minor_units, round_amount

PROJECT_ONLY = frozenset({"project", "tasks", "includes", "non_chargeable", "contracted_amount", "billing_start"})
PRODUCT_ONLY = frozenset({"product", "quantity", "unit", "price", "tax"})


def foreign_fields(kind: str, sent: Collection[str]) -> dict[str, str]:
    """Fields of the other kind of line, with what is wrong."""
    foreign = PRODUCT_ONLY if kind == "project" else PROJECT_ONLY
    return {name: f"is no field of a {kind} line" for name in sent if name in foreign}


def method_errors(
    billing_method: str | None, includes: Sequence[str] | None, contracted_amount: Decimal | None
) -> dict[str, str]:
    """What does not fit a project line's billing method, by field."""
    errors = {}
    if billing_method == "fixed_price" and contracted_amount is None:
        errors["contracted_amount"] = "a fixed price needs it"
    if billing_method != "fixed_price" and contracted_amount is not None:
        errors["contracted_amount"] = "only a fixed price has one"
    if billing_method == "fixed_price" and includes is not None and "fee" in includes:
        errors["includes"] = "a fixed price includes no fees: they would come on top of it"
    return errors


def task_error(tasks: Sequence[str] | None, non_chargeable: Sequence[str]) -> str | None:
    """What is wrong with the tasks that are not charged: they are some of the line's own."""
    if not non_chargeable:
        return None
    if tasks is None:
        return "a line of all tasks charges all of them: name the line's tasks first"
    strange = sorted(set(non_chargeable) - set(tasks))
    return f"no task of the line: {', '.join(strange[:10])}" if strange else None


def amount_error(amount: Decimal | None, currency: str) -> str | None:
    """What is wrong with an amount in this currency: more decimals than it has."""
    if amount is None or round_amount(amount, currency) == amount:
        return None
    return f"{currency} has {minor_units(currency)} decimals"


def product_amount(quantity: Decimal, price: Decimal, currency: str) -> Decimal | None:
    """quantity × price, rounded once; None when it is more than an amount may be."""
    amount = amount_of(quantity, price, currency)
    return amount if amount <= AMOUNT_MAX else None


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
