"""The year as it must come out: sets and dictionaries, which know neither a database nor a line of the product."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.year.portfolio import Contract, Thing

Due = tuple[UUID, date]
"""(line, run date)"""
Run = tuple[UUID, date]
"""(contract, run date)"""


@dataclass
class Books:
    """What has been said and what it made. `planned` are the rows to come; `ran` what became of those that came."""

    contracts: Sequence[Contract]
    planned: dict[UUID, dict[date, date]] = field(default_factory=dict)
    ran: dict[Due, str] = field(default_factory=dict)
    removed: set[Due] = field(default_factory=set)
    waiting: set[Due] = field(default_factory=set)
    open: dict[UUID, dict[UUID, Thing]] = field(default_factory=lambda: defaultdict(dict))
    ready: set[UUID] = field(default_factory=set)
    taken: dict[UUID, Run] = field(default_factory=dict)
    runs: set[Run] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.lines = {line.id: line for contract in self.contracts for line in contract.lines}
        self.of = {contract.id: contract for contract in self.contracts}
        self.planned = {line_id: dict(line.days) for line_id, line in self.lines.items()}
        things = [thing for line in self.lines.values() for thing in line.things]
        things += [one.product for one in self.contracts if one.product]
        self.things = {thing.id: thing for thing in things}

    def today(self, line_id: UUID, now: datetime) -> date:
        """The day where the line's contract is."""
        return now.astimezone(ZoneInfo(self.lines[line_id].zone)).date()

    def come(self, triggers: Iterable[Due], now: datetime) -> None:
        """A batch of triggers: oldest date first, those of a contract and date together; ahead of its day one waits."""
        groups: dict[tuple[date, UUID], set[UUID]] = defaultdict(set)
        for line_id, day in set(triggers):
            if day not in self.planned[line_id] or day <= self.today(line_id, now):
                self.waiting.discard((line_id, day))
                groups[day, self.lines[line_id].contract].add(line_id)
            else:
                self.waiting.add((line_id, day))
        for (day, contract_id), line_ids in sorted(groups.items()):
            due = {line_id: self.planned[line_id].pop(day) for line_id in line_ids if day in self.planned[line_id]}
            if due:
                self._run(contract_id, day, due)

    def days_begin(self, now: datetime) -> None:
        """What waited for its day runs."""
        begun = [one for one in self.waiting if one[1] <= self.today(one[0], now)]
        self.waiting -= set(begun)
        self.come(begun, now)

    def _run(self, contract_id: UUID, day: date, due: dict[UUID, date]) -> None:
        """Ready work up to each line's cut-off; with it the contract's ready product, and milestones up to the day."""
        self.runs.add((contract_id, day))
        gave = set()
        for line_id in [line.id for line in self.of[contract_id].lines] + self._product_of(contract_id):
            fixed = line_id not in self.lines or self.lines[line_id].kind == "fixed"
            until = day if fixed else due.get(line_id, date.min)
            for thing in list(self.open[line_id].values()):
                if thing.id in self.ready and (line_id not in self.lines or thing.day <= until):
                    del self.open[line_id][thing.id]
                    self.taken[thing.id] = contract_id, day
                    gave.add(line_id)
        for line_id in due:
            self.ran[line_id, day] = "successful" if line_id in gave else "skipped"

    def _product_of(self, contract_id: UUID) -> list[UUID]:
        product = self.of[contract_id].product
        return [product.line] if product else []

    def edit(self, line_id: UUID, rows: dict[date, date]) -> None:
        """These are the rows to come now."""
        self.removed |= {(line_id, day) for day in self.planned[line_id].keys() - rows.keys()}
        self.planned[line_id] = rows
