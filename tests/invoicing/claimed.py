"""Claims as billing-backlog tells them, and a desk at which they arrive and are worked on."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import httpx

from invoicing.worker import HANDLERS
from proforma.db import fetch
from proforma.envelope import Event, Record
from proforma.events.billing_backlog import (
    Claim,
    ClaimCustomer,
    ClaimedItem,
    ClaimLine,
    ControlTotals,
    InvoicePosted,
    ItemsClaimed,
)
from proforma.money import amount_of
from proforma.runtime import Runtime
from tests.support.api import Api
from tests.support.events import Sent, deliver, outbox_of

CUSTOMER = ClaimCustomer(
    id=UUID(int=7), name="Acme <Ltd>", billing_address="1 High Street\nLondon", payment_terms_days=30, tax_id="GB 1"
)
DAY = date(2026, 2, 27)


def item(line: UUID, quantity: str = "8.00", price: str = "200.00", **given: Any) -> ClaimedItem:
    """A claimed time entry on a contract line; anything else by name."""
    number, rate = Decimal(quantity), Decimal(price)
    fields = {
        "id": uuid.uuid4(),
        "contract_line_id": line,
        "item_class": "time",
        "entry_id": uuid.uuid4(),
        "project": "P1",
        "task": "T1",
        "resource": "ann",
        "role": "developer",
        "date": DAY,
        "quantity": number,
        "unit": "hour",
        "price": rate,
        "amount": amount_of(number, rate, given.pop("currency", "EUR")),
        "tax": Decimal(0),
        "billing_type": "chargeable",
        "description": "internal",
        "external_description": "Work",
        **given,
    }
    return ClaimedItem.model_validate(fields)


@dataclass
class Claiming:
    """One claim in the making: its run, contract and lines stay, its chunks are cut from what is added."""

    run_id: UUID = field(default_factory=uuid.uuid4)
    contract_id: UUID = field(default_factory=uuid.uuid4)
    id: UUID = field(default_factory=uuid.uuid4)
    lines: list[UUID] = field(default_factory=lambda: [uuid.uuid4()])
    currency: str = "EUR"
    run_date: date = date(2026, 3, 2)
    items: list[ClaimedItem] = field(default_factory=list)
    billing_method: Literal["time_and_material", "fixed_price"] = "time_and_material"
    includes: tuple[str, ...] = ("time", "expense")

    def with_items(self, *items: ClaimedItem) -> "Claiming":
        self.items.extend(items)
        return self

    def again(self) -> "Claiming":
        """Another claim of the same run."""
        return Claiming(self.run_id, self.contract_id, lines=self.lines, currency=self.currency, run_date=self.run_date)

    def claim(self, count: int | None = None) -> Claim:
        return Claim(
            id=self.id,
            run_id=self.run_id,
            run_kind="scheduled",
            run_date=self.run_date,
            contract_id=self.contract_id,
            contract_name="Website",
            customer=CUSTOMER,
            currency=self.currency,
            items=len(self.items) if count is None else count,
        )

    def chunks(self, size: int = 500) -> list[ItemsClaimed]:
        """The claim as it travels: every chunk names its items' lines, the first also those without items."""
        pieces = [self.items[start : start + size] for start in range(0, len(self.items), size)]
        taken = {one.contract_line_id for one in self.items}
        told = []
        for number, piece in enumerate(pieces, 1):
            named = {one.contract_line_id for one in piece} | ({*self.lines} - taken if number == 1 else set())
            lines = [self._line(line) for line in self.lines if line in named]
            told.append(ItemsClaimed(claim=self.claim(), lines=lines, items=piece, chunk=number, chunks=len(pieces)))
        return told

    def _line(self, line: UUID) -> ClaimLine:
        return ClaimLine(
            id=line,
            name=f"Line {self.lines.index(line) + 1}",
            kind="project",
            billing_method=self.billing_method,
            includes=[*self.includes],
            cut_off=DAY,
        )


def claiming(count: int = 1, **given: Any) -> Claiming:
    """A claim of `count` entries of 8 hours at 200 on its first line."""
    made = Claiming(**given)
    return made.with_items(*(item(made.lines[0], currency=made.currency) for _ in range(count)))


class Desk:
    """Invoicing with the API's clients at hand."""

    def __init__(self, runtime: Runtime, api: Api) -> None:
        self.runtime = runtime
        self.api = api

    @property
    def biller(self) -> httpx.AsyncClient:
        return self.api.as_("biller")

    @property
    def manager(self) -> httpx.AsyncClient:
        return self.api.as_("manager")

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.api.as_("admin")

    async def deliver(self, *events: Event | Record) -> None:
        await deliver(self.runtime, HANDLERS, *events)

    async def draft(self, count: int = 1, **given: Any) -> dict[str, Any]:
        """A whole draft of `count` entries, as the API shows it."""
        made = claiming(count, **given)
        await self.deliver(*made.chunks())
        return await self.show(made.id)

    async def show(self, invoice_id: UUID | str) -> dict[str, Any]:
        answer = await self.biller.get(f"/v1/invoices/{invoice_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def details(self, invoice_id: UUID | str) -> list[dict[str, Any]]:
        """Every detail, page by page."""
        return await self._all(f"/v1/invoices/{invoice_id}/details")

    async def lines(self, invoice_id: UUID | str) -> list[dict[str, Any]]:
        return await self._all(f"/v1/invoices/{invoice_id}/lines")

    async def history(self, invoice_id: UUID | str) -> list[dict[str, Any]]:
        return await self._all(f"/v1/invoices/{invoice_id}/history")

    async def confirm(self, invoice: dict[str, Any]) -> httpx.Response:
        """Confirms the invoice as it was shown."""
        return await self.manager.post(
            f"/v1/invoices/{invoice['id']}/confirm", headers={"If-Match": f'"{invoice["version"]}"'}
        )

    async def confirmed(self, count: int = 1, **given: Any) -> dict[str, Any]:
        """A confirmed invoice of `count` entries."""
        answer = await self.confirm(await self.draft(count, **given))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def edit(self, invoice_id: UUID | str, detail_id: str, **fields: Any) -> httpx.Response:
        """Edits a detail of whatever the invoice is now."""
        path = f"/v1/invoices/{invoice_id}/details/{detail_id}"
        return await self.biller.patch(path, json=fields, headers={"If-Match": "*"})

    async def edited(self, invoice_id: UUID | str, detail_id: str, **fields: Any) -> dict[str, Any]:
        """Edits a detail and returns it."""
        answer = await self.edit(invoice_id, detail_id, **fields)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def posted(self, invoice: dict[str, Any]) -> dict[str, Any]:
        """Delivers the ledger's word that it has all that the invoice said; returns the invoice as it is then."""
        (body, *_) = [one for one in await self.said("invoice.confirmed") if one["invoice_id"] == invoice["id"]]
        totals = ControlTotals.model_validate(body["totals"])
        await self.deliver(
            InvoicePosted(invoice_id=UUID(invoice["id"]), contract_id=UUID(invoice["contract_id"]), totals=totals)
        )
        return await self.show(invoice["id"])

    async def billed(self, count: int = 1, **given: Any) -> dict[str, Any]:
        """A confirmed invoice that the ledger has."""
        return await self.posted(await self.confirmed(count, **given))

    async def act(self, verb: str, invoice_id: UUID | str, **body: Any) -> httpx.Response:
        """A manager's verb on whatever the invoice is now."""
        path = f"/v1/invoices/{invoice_id}/{verb}"
        return await self.manager.post(path, json=body or None, headers={"If-Match": "*"})

    async def corrective(self, invoice_id: UUID | str, **body: Any) -> dict[str, Any]:
        """A corrective draft of the invoice."""
        answer = await self.act("correct", invoice_id, **body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def said(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the events of one type, in order: `said("invoice.confirmed")`."""
        return [sent.body for sent in await self.events() if sent.type == f"proforma.invoicing.{kind}.v1"]

    async def events(self) -> list[Sent]:
        return await outbox_of(self.runtime)

    async def sql(self, statement: str, *args: Any) -> Sequence[Any]:
        """Rows of a statement under the service's own login."""
        async with self.runtime.database.transaction() as session:
            return await fetch(session, statement, *args)

    async def _all(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            answer = await self.biller.get(path, params={"limit": 100} | ({"after": after} if after else {}))
            assert answer.status_code == 200, answer.text
            found.extend(answer.json()["items"])
            after = answer.json()["next"]
            if after is None:
                return found
