"""An example of every event: eight hours of a developer, from approval to invoice and ledger, told once through."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from proforma.envelope import Event
from proforma.events.billing_backlog import (
    ActualsPosted,
    CancellationAnswer,
    CancellationsAnswered,
    Claim,
    ClaimCustomer,
    ClaimedItem,
    ClaimLine,
    ControlTotals,
    InvoicePosted,
    ItemsClaimed,
    PostedActual,
    PostingBlocked,
    ScheduleChanged,
    ScheduleEnded,
    ScheduleRow,
)
from proforma.events.invoicing import (
    ClaimCount,
    ClaimDropped,
    ConfirmedDetail,
    DetailFigures,
    DetailsReleased,
    InvoiceConfirmed,
    InvoiceDiscarded,
    InvoiceDrafted,
    ReleasedDetail,
)
from proforma.events.scheduler import RunDue
from proforma.events.time_expense import ApprovedEntry, CancellationRequest, CancellationsRequested, EntriesApproved


def _id(n: int) -> UUID:
    """Recognisable, and of the version that our ids have."""
    return UUID(f"01998a60-0000-7000-8000-{n:012d}")


CUSTOMER, CONTRACT, LINE, ENTRY, COST, ITEM, RUN, CLAIM, DETAIL, SCHEDULE, ROW, REQUEST = map(_id, range(1, 13))
INVOICE = CLAIM  # A draft has the id of its first claim.
_WORKED, _RUN_DATE = date(2026, 3, 2), date(2026, 3, 31)
_APPROVED_AT = datetime(2026, 3, 3, 8, 30, tzinfo=UTC)
_CONFIRMED_AT = datetime(2026, 4, 1, 9, tzinfo=UTC)
_HOURS, _PRICE, _AMOUNT, _NONE = Decimal("8.00"), Decimal("200.0000"), Decimal("1600.00"), Decimal("0.00")

_FIGURES = DetailFigures(quantity=_HOURS, price=_PRICE, amount=_AMOUNT, tax=_NONE, billing_type="chargeable")
_TOTALS = ControlTotals(count=1, quantity=_HOURS, amount=_AMOUNT, tax=_NONE)
_ENTRY = ApprovedEntry.model_validate(
    {
        "id": ENTRY, "revision": 1, "class": "time", "project": "PORTAL", "task": "LOGIN", "resource": "ann",
        "role": "dev", "date": _WORKED, "quantity": _HOURS, "unit": "hour", "description": "login page",
        "external_description": "Login page", "external_id": "timesheet-4711", "submitted_by": "ann",
        "approved_by": "bo", "approved_at": _APPROVED_AT, "billable_quantity": _HOURS,
    }
)  # fmt: skip
_ITEM = ClaimedItem.model_validate(
    {
        "id": ITEM, "contract_line_id": LINE, "class": "time", "entry_id": ENTRY, "project": "PORTAL", "task": "LOGIN",
        "resource": "ann", "role": "dev", "date": _WORKED, "quantity": _HOURS, "unit": "hour", "price": _PRICE,
        "amount": _AMOUNT, "tax": _NONE, "billing_type": "chargeable", "external_description": "Login page",
    }
)  # fmt: skip
_ACTUAL = {
    "class": "time", "billing_type": "chargeable", "cause": "approve", "accounting_date": _WORKED, "date": _WORKED,
    "posted_at": _APPROVED_AT, "quantity": _HOURS, "unit": "hour", "tax": _NONE, "currency": "EUR",
    "project": "PORTAL", "task": "LOGIN", "resource": "ann", "role": "dev", "contract_id": CONTRACT,
    "contract_line_id": LINE, "entry_id": ENTRY, "entry_revision": 1,
}  # fmt: skip
_CLAIM = Claim(
    id=CLAIM, run_id=RUN, run_kind="scheduled", run_date=_RUN_DATE, contract_id=CONTRACT, contract_name="Portal",
    customer=ClaimCustomer(id=CUSTOMER, name="Ada Ltd", billing_address="1 High Street\nLondon", payment_terms_days=30),
    currency="EUR", items=1,
)  # fmt: skip
_CLAIM_LINE = ClaimLine(
    id=LINE, name="All work", kind="project", billing_method="time_and_material", includes=["time"], cut_off=_RUN_DATE
)
_DETAIL = ConfirmedDetail.model_validate(
    {
        "detail_id": DETAIL, "item_id": ITEM, "claim_id": CLAIM, "source": "backlog", "class": "time",
        "contract_line_id": LINE, "was": _FIGURES, "now": _FIGURES,
    }
)  # fmt: skip
_QUESTION = CancellationRequest(
    id=ENTRY, revision=1, request_id=REQUEST, project="PORTAL", by="bo", at=_APPROVED_AT, reason="wrong task"
)

_STORY: tuple[Event, ...] = (
    EntriesApproved(entries=[_ENTRY]),
    ActualsPosted(
        actuals=[
            PostedActual.model_validate({**_ACTUAL, "id": COST, "type": "cost", "price": "100.00", "amount": "800.00"}),
            PostedActual.model_validate(
                {**_ACTUAL, "id": ITEM, "type": "unbilled_sales", "price": "200.00", "amount": "1600.00"}
            ),
        ]
    ),
    ScheduleChanged(
        contract_id=CONTRACT, contract_line_id=LINE, schedule_id=SCHEDULE, schedule_version=1,
        time_zone="Europe/London", rows=[ScheduleRow(id=ROW, run_date=_RUN_DATE, cut_off=_RUN_DATE)],
    ),
    RunDue(contract_id=CONTRACT, contract_line_id=LINE, run_date=_RUN_DATE, row_id=ROW, schedule_version=1),
    ItemsClaimed(claim=_CLAIM, lines=[_CLAIM_LINE], items=[_ITEM], chunk=1, chunks=1),
    InvoiceDrafted(
        invoice_id=INVOICE, contract_id=CONTRACT, run_id=RUN, currency="EUR", invoice_date=_RUN_DATE, totals=_TOTALS,
        claims=[ClaimCount(claim_id=CLAIM, items=1)],
    ),
    InvoiceConfirmed(
        invoice_id=INVOICE, number="PF-2026-000001", kind="invoice", contract_id=CONTRACT, customer_id=CUSTOMER,
        run_id=RUN, currency="EUR", invoice_date=_RUN_DATE, accounting_date=date(2026, 4, 1), confirmed_by="cy",
        confirmed_at=_CONFIRMED_AT, totals=_TOTALS, details=[_DETAIL], chunk=1, chunks=1,
    ),
    InvoicePosted(invoice_id=INVOICE, contract_id=CONTRACT, totals=_TOTALS),
    # What may happen instead.
    PostingBlocked(invoice_id=INVOICE, contract_id=CONTRACT, reason="1 detail does not match what is claimed"),
    DetailsReleased(
        invoice_id=INVOICE, contract_id=CONTRACT, by="cy", at=_CONFIRMED_AT,
        details=[ReleasedDetail(item_id=ITEM, claim_id=CLAIM)],
    ),
    ClaimDropped(invoice_id=INVOICE, contract_id=CONTRACT, claim_id=CLAIM, by="cy", at=_CONFIRMED_AT),
    InvoiceDiscarded(invoice_id=INVOICE, contract_id=CONTRACT, by="cy", at=_CONFIRMED_AT, claims=[CLAIM]),
    CancellationsRequested(entries=[_QUESTION]),
    CancellationsAnswered(
        contract_id=CONTRACT, project="PORTAL",
        entries=[
            CancellationAnswer(
                id=ENTRY, revision=1, request_id=REQUEST, outcome="refused", reason="posted", invoice_id=INVOICE
            )
        ],
    ),
    ScheduleEnded(contract_id=CONTRACT, contract_line_id=LINE, schedule_id=SCHEDULE, schedule_version=2),
)  # fmt: skip

SAMPLES: Mapping[type[Event], Event] = {type(one): one for one in _STORY}
"""One of each, by its class."""
