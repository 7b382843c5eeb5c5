"""What a play of the demo sets up and sends: the sample of examples/sample/, or any CSV of time entries."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from examples.client import DemoError

SAMPLE = Path(__file__).parent / "sample"
ENTRY_COLUMNS = (
    "external_id", "class", "project", "task", "resource", "role", "date", "quantity",
    "description", "external_description",
)  # fmt: skip

# What other systems call our fields, best first; compared without case, spaces and punctuation.
_NAMES: dict[str, tuple[str, ...]] = {
    "external_id": ("externalid",),
    "project": ("project", "projectcode", "projectid", "projectname"),
    "task": ("task", "taskcode", "taskid", "tasknumber", "activity", "issue", "ticket"),
    "resource": ("resource", "employee", "person", "user", "worker", "developer", "developerid", "employeeid"),
    "role": ("role", "position", "subcategory", "category", "activitytype"),
    "date": ("date", "day", "workdate", "spentdate", "entrydate"),
    "quantity": ("quantity", "hours", "developerhoursactual", "hoursactual", "actualhours", "duration"),
    "external_description": ("externaldescription", "summary", "comment", "note", "notes", "description"),
}
_REQUIRED = ("project", "resource", "quantity")
DEFAULT_ROLE = "consultant"
DEFAULT_DATE = "2026-01-05"
# A day has 24 hours, and time-expense refuses more; a longer row is spread over entries of a working day each.
_DAY_HOURS = Decimal(24)
_PIECE_HOURS = Decimal(8)
# More hours than this on one row are no work of one person; the import says so.
_SPREAD_HOURS_MAX = Decimal(10_000)

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Bodies of what is created (they name one another by external_id) and the rows of the import."""

    title: str
    customers: Sequence[dict[str, Any]]
    price_lists: Sequence[dict[str, Any]]
    contracts: Sequence[dict[str, Any]]
    schedules: Sequence[dict[str, Any]]
    rows: Sequence[Row]
    remarks: Sequence[str] = ()

    def upload(self) -> tuple[bytes, dict[int, Row]]:
        """The file as the import takes it, and the row that begins on each of its lines (1 is the header)."""
        table = io.StringIO()
        columns = [column for column in ENTRY_COLUMNS if any(row.get(column) for row in self.rows)]
        writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        line, begins = 2, {}
        for row in self.rows:
            begins[line] = row
            # A text of several lines moves all rows behind it.
            line += 1 + sum((row.get(column) or "").count("\n") for column in columns)
            writer.writerow(row)
        return table.getvalue().encode(), begins


def sample_plan() -> Plan:
    """The sample that ships with the project."""
    terms = json.loads((SAMPLE / "contracts.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO((SAMPLE / "entries.csv").read_text(encoding="utf-8"))))
    return Plan("the sample in examples/sample", **terms, rows=rows)


def due_today(plan: Plan, now: datetime) -> Plan:
    """The plan with one more row in each schedule: today, where its contract is, for all that was done before."""
    zones = {line["external_id"]: contract["time_zone"] for contract in plan.contracts for line in contract["lines"]}

    def row(line: str) -> dict[str, str]:
        today = now.astimezone(ZoneInfo(zones[line])).date()
        return {"run_date": today.isoformat(), "cut_off": (today - timedelta(days=1)).isoformat()}

    schedules = [{**one, "rows": [*one["rows"], row(one["contract_line"])]} for one in plan.schedules]
    return replace(plan, schedules=schedules)


def csv_plan(path: Path) -> Plan:
    """A customer, a price list with a rate for every role, and one T&M contract per project, for the rows of a CSV."""
    rows, remarks = read_rows(path)
    roles = sorted({row["role"] for row in rows})
    # A row without a project goes along, so that the import can say what is wrong with it.
    projects = sorted({row["project"] for row in rows if row.get("project")})
    sales = {role: Decimal(80) + Decimal("7.35") * index for index, role in enumerate(roles)}
    cost = {role: price / 2 for role, price in sales.items()}
    return Plan(
        title=path.name,
        customers=[{"external_id": "csv", "name": f"Customer of {path.name}"[:200]}],
        price_lists=[_price_list("sales", sales), _price_list("cost", cost)],
        contracts=[_contract(project) for project in projects],
        schedules=[],
        rows=rows,
        remarks=remarks,
    )


def _price_list(kind: str, prices: Mapping[str, Decimal]) -> dict[str, Any]:
    rates = [{"class": "time", "role": role, "price": f"{price:.2f}"} for role, price in prices.items()]
    return {
        "external_id": f"csv-{kind}", "name": f"Rates of the CSV, {kind}", "kind": kind, "currency": "EUR",
        "rates": rates,
    }  # fmt: skip


def _contract(project: str) -> dict[str, Any]:
    line = {
        "external_id": f"csv-{project}", "name": f"{project}: all work", "kind": "project",
        "billing_method": "time_and_material", "project": project, "tasks": None, "includes": ["time"],
    }  # fmt: skip
    return {
        "external_id": f"csv-{project}", "name": project, "customer": "csv", "currency": "EUR", "time_zone": "UTC",
        "sales_price_lists": ["csv-sales"], "cost_price_list": "csv-cost", "lines": [line],
    }  # fmt: skip


def read_rows(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of any CSV of time entries with our column names, and what had to be assumed about them."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DemoError(f"cannot read {path}: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    reader = csv.DictReader(io.StringIO(text))
    columns = _columns(path, reader.fieldnames or ())
    remarks = [f"{field} from the column {name}" for field, name in columns.items() if field != name]
    remarks += [
        f"no {field} in the file: {value} is taken"
        for field, value in (("role", DEFAULT_ROLE), ("date", DEFAULT_DATE))
        if field not in columns
    ]
    rows: list[Row] = []
    for number, raw_row in enumerate(reader, start=1):
        given = {field: (raw_row.get(name) or "").strip() for field, name in columns.items()}
        row = {
            "external_id": f"row-{number}", "class": "time", "project": "", "role": DEFAULT_ROLE, "date": DEFAULT_DATE,
            "quantity": "",
        }  # fmt: skip
        # Without carriage returns a text's lines can be counted.
        row |= {field: value.replace("\r", "") for field, value in given.items() if value}
        rows += spread({**row, "date": _day(row["date"])})
    if not rows:
        raise DemoError(f"{path} has no rows")
    return rows, remarks


def _day(text: str) -> str:
    """The day of an instant such as 2026-02-05T10:00:00; any other text as it is, for the import to judge."""
    day, mark, _ = text.partition("T" if "T" in text else " ")
    return day if mark and len(day) == len(DEFAULT_DATE) else text


def _columns(path: Path, names: Iterable[str]) -> dict[str, str]:
    plain = {"".join(filter(str.isalnum, name)).lower(): name for name in names if name}
    found = {
        field: plain[best]
        for field, known in _NAMES.items()
        for best in [next((name for name in known if name in plain), None)]
        if best is not None
    }
    missing = [field for field in _REQUIRED if field not in found]
    if missing:
        raise DemoError(
            f"{path} has no column for {', '.join(missing)}; it has {', '.join(plain.values()) or 'none'}; "
            f"wanted are project, resource, quantity (hours) and, if there are, task, role, date"
        )
    return found


def spread(row: Row) -> list[Row]:
    """The row itself, or entries of at most 8 hours on the days up to its own when it has more hours than a day."""
    try:
        hours, day = Decimal(row["quantity"]), date.fromisoformat(row["date"])
    except (InvalidOperation, ValueError):
        return [row]
    if not hours.is_finite() or not _DAY_HOURS < hours <= _SPREAD_HOURS_MAX:
        return [row]
    pieces = [_PIECE_HOURS] * int(hours // _PIECE_HOURS)
    if hours % _PIECE_HOURS:
        pieces.append(hours % _PIECE_HOURS)
    return [
        {
            **row,
            "external_id": f"{row['external_id']}-{number + 1}",
            "quantity": str(piece),
            # Backwards: the days that follow may not have come yet, and then would not be billed.
            "date": (day - timedelta(days=number)).isoformat(),
        }
        for number, piece in enumerate(pieces)
    ]


def renamed(plan: Plan, play: int) -> Plan:
    """The plan under names of its own: one piece of work is billed once, so a second play needs other projects."""
    if play == 1:
        return plan

    def own(name: str) -> str:
        return name and f"{name}~{play}"

    contracts = [
        {
            **contract,
            **{field: own(contract[field]) for field in ("external_id", "customer", "cost_price_list")},
            "sales_price_lists": [own(name) for name in contract["sales_price_lists"]],
            "lines": [
                {**line, "external_id": own(line["external_id"]), "project": own(line["project"])}
                for line in contract["lines"]
            ],
        }
        for contract in plan.contracts
    ]
    rows = [{**row, "external_id": own(row["external_id"]), "project": own(row["project"])} for row in plan.rows]
    return replace(
        plan,
        customers=[{**one, "external_id": own(one["external_id"])} for one in plan.customers],
        price_lists=[{**one, "external_id": own(one["external_id"])} for one in plan.price_lists],
        contracts=contracts,
        schedules=[{**one, "contract_line": own(one["contract_line"])} for one in plan.schedules],
        rows=rows,
    )
