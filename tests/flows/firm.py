"""A small firm that bills by the product alone, over HTTP: one contract, its people, and what a biller reads.

An hour of a developer costs 100 and is sold for 200, travel is sold 10 % above its cost, a CABLE for 200: the rates of
every worked example in the specification. What an assertion expects comes from the test, never from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import httpx

from tests.flows import main_job
from tests.support.product import Product
from tests.support.rows import value
from tests.support.waits import eventually

DAY = "2026-03-02"
COST, UNBILLED, BILLED = "cost", "unbilled_sales", "billed_sales"
CHARGEABLE, FREE, GIFT = "chargeable", "non_chargeable", "complimentary"
Row = tuple[str, str | None, Decimal, Decimal]

_SALES = [
    {"class": "time", "role": "dev", "price": "200"},
    {"class": "expense", "category": "travel", "method": "markup", "markup_percent": "10"},
    {"class": "material", "product": "CABLE", "price": "200"},
]
_COST = [{"class": "time", "role": "dev", "price": "100"}]
_OF_CLASS: Mapping[str, Mapping[str, str]] = {
    "time": {"role": "dev"},
    "expense": {"category": "travel", "unit_cost": "250", "currency": "EUR"},
    "material": {"product": "CABLE", "unit_cost": "100", "currency": "EUR"},
}


def rows(*expected: tuple[str, str | None, int | str, int | str]) -> list[Row]:
    """Ledger rows as (type, billing type, quantity, amount), in the order that `Firm.ledger` has."""
    return sorted((kind, billing, Decimal(quantity), Decimal(amount)) for kind, billing, quantity, amount in expected)


def item(found: Sequence[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    """The only one that has these fields; `of` is its class."""
    wanted = {"class" if name == "of" else name: wish for name, wish in fields.items()}
    (one,) = [dict(one) for one in found if all(one[name] == wish for name, wish in wanted.items())]
    return one


def numbers(one: Mapping[str, Any], *names: str) -> list[Any]:
    """These fields as decimals, however many digits they are written with."""
    return [Decimal(one[name]) for name in names]


def _line(contract_id: str, name: str, project: str, includes: Sequence[str], **more: Any) -> dict[str, Any]:
    return {
        "contract_id": contract_id, "name": name, "kind": "project", "project": project,
        "billing_method": "time_and_material", "includes": list(includes), **more,
    }  # fmt: skip


@dataclass
class Firm:
    """Calls that must succeed, each as the person whose work it is; `refused` for those that must not."""

    product: Product
    contract_id: str = ""
    lines: dict[str, str] = field(default_factory=dict)
    milestones: dict[str, str] = field(default_factory=dict)

    def client(self, service: str, role: str) -> httpx.AsyncClient:
        """What speaks as `role`; submitters are ann, whose work the entries are."""
        return self.product.apis[service].as_(role, sub="ann" if role == "submitter" else None)

    async def backlog(self, method: str, path: str, body: Any = None, role: str = "biller", **request: Any) -> Any:
        """A call of billing-backlog."""
        return await self.product.call("billing-backlog", method, path, role, json=body, **request)

    async def invoicing(self, method: str, path: str, body: Any = None, role: str = "manager", **request: Any) -> Any:
        """A call of invoicing."""
        return await self.product.call("invoicing", method, path, role, json=body, **request)

    async def refused(self, service: str, method: str, path: str, role: str, body: Any = None) -> dict[str, Any]:
        """The problem of a call that must not succeed, whatever version it names."""
        headers = {"If-Match": await self._version(service, path, role)}
        answer = await self.client(service, role).request(method, path, json=body, headers=headers)
        assert 400 <= answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        problem: dict[str, Any] = answer.json()
        return problem

    async def _version(self, service: str, path: str, role: str) -> str:
        """Of the invoice below which `path` lies, since its confirm takes no `*`."""
        parts = path.split("/")
        if service != "invoicing" or len(parts) < 4:
            return "*"
        shown = await self.client(service, role).get("/".join(parts[:4]))
        return str(shown.headers.get("ETag", "*"))

    # -- terms

    async def contract(self, name: str, project: str, includes: Sequence[str] = ("time",)) -> str:
        """An active contract in EUR with one line on time and material for `project`; its id."""
        contract_id = await self._contract(name)
        await self.line(contract_id, name, project, includes)
        await self.activate(contract_id)
        return contract_id

    async def _contract(self, name: str) -> str:
        customer = await self.backlog("POST", "/v1/customers", {"name": f"{name} Ltd"})
        rates = {"sales": _SALES, "cost": _COST}
        lists = [{"name": kind, "kind": kind, "currency": "EUR", "rates": its} for kind, its in rates.items()]
        sales, cost = (await self.backlog("POST", "/v1/price-lists", lists))["items"]
        body = {
            "name": name, "customer_id": customer["id"], "currency": "EUR",
            "sales_price_list_ids": [sales["id"]], "cost_price_list_id": cost["id"],
        }  # fmt: skip
        return str((await self.backlog("POST", "/v1/contracts", body))["id"])

    async def line(self, contract_id: str, name: str, project: str, includes: Sequence[str], **more: Any) -> str:
        """A project line, on time and material unless `more` says otherwise; its id."""
        await self._lines(_line(contract_id, name, project, includes, **more))
        return self.lines[name]

    async def _lines(self, *bodies: Mapping[str, Any]) -> None:
        made = (await self.backlog("POST", "/v1/contract-lines", list(bodies)))["items"]
        self.lines |= {str(one["name"]): str(one["id"]) for one in made}

    async def activate(self, contract_id: str) -> None:
        """A draft contract becomes active."""
        await self.backlog("POST", f"/v1/contracts/{contract_id}/activate", role="manager", headers={"If-Match": "*"})

    async def open(self) -> None:
        """The firm's own contract: work on P1, a fixed price of 17,000 on P2 in two milestones, ten routers at 50."""
        own = self.contract_id = await self._contract("Portal")
        fixed = {"billing_method": "fixed_price", "contracted_amount": "17000.00"}
        routers = {"contract_id": own, "name": "routers", "kind": "product", "product": "ROUTER"}
        await self._lines(
            _line(own, "work", "P1", ["time", "expense", "material", "fee"]),
            _line(own, "fixed", "P2", ["time"], **fixed),
            {**routers, "quantity": "10", "price": "50.00"},
        )
        # In the days to come: a schedule would run one that is due, before or after the test makes it ready.
        milestones = [
            {"contract_line_id": self.lines["fixed"], "name": name, "date": day, "amount": amount}
            for name, day, amount in (("concept", "2026-03-31", "5000.00"), ("launch", "2026-11-03", "12000.00"))
        ]
        made = (await self.backlog("POST", "/v1/milestones", milestones))["items"]
        self.milestones = {one["name"]: one["id"] for one in made}
        await self.activate(self.contract_id)

    # -- work and its first approval

    async def submitted(self, quantity: str = "8", item_class: str = "time", **fields: Any) -> str:
        """An entry of ann's, submitted: 8 h on P1 unless said otherwise; its id."""
        body = {
            "class": item_class, "project": "P1", "resource": "ann", "date": DAY, "quantity": quantity,
            **_OF_CLASS[item_class], **fields,
        }  # fmt: skip
        ann = self.client("time-expense", "submitter")
        made = await ann.post("/v1/entries", json=body)
        assert made.status_code == 201, made.text
        done = await ann.post(f"/v1/entries/{made.json()['id']}/submit", headers={"If-Match": "*"})
        assert done.status_code == 200, done.text
        return str(made.json()["id"])

    async def approve(self, *entry_ids: str, **override: Any) -> None:
        """The first approval, with what the approver overrides; waits until the ledger has it."""
        for entry_id in entry_ids:
            path = f"/v1/entries/{entry_id}/approve"
            await self.product.call(
                "time-expense", "POST", path, "approver", json=override, headers={"If-Match": "*"}
            )  # fmt: skip
        for entry_id in entry_ids:
            await self._has(entry_id)

    async def worked(self, quantity: str = "8", item_class: str = "time", **fields: Any) -> str:
        """An entry, submitted, approved and in the ledger; its id."""
        entry_id = await self.submitted(quantity, item_class, **fields)
        await self.approve(entry_id)
        return entry_id

    async def _has(self, entry_id: str) -> None:
        async def posted() -> bool:
            actuals = await self.product.all("billing-backlog", "/v1/actuals", entry_id=entry_id)
            entry = await self.entry(entry_id)
            return any(one["entry_revision"] == entry["revision"] for one in actuals)

        await eventually(posted)

    async def entry(self, entry_id: str) -> dict[str, Any]:
        """The entry as its approver sees it."""
        found: dict[str, Any] = await self.product.call("time-expense", "GET", f"/v1/entries/{entry_id}", "approver")
        return found

    # -- the backlog and the second approval

    async def items(self, **query: Any) -> list[dict[str, Any]]:
        """The time and material backlog, open items unless asked for others."""
        return await self.product.all("billing-backlog", "/v1/backlog", "biller", **query)

    async def mark_ready(self, *ids: str, of: str = "backlog") -> dict[str, Any]:
        """Marks items, milestones or product lines ready; without ids all that the firm's contract has open."""
        body = {"ids": list(ids)} if ids else {"filter": {"contract_id": self.contract_id}}
        answer: dict[str, Any] = await self.backlog("POST", f"/v1/{of}/mark-ready", body)
        return answer

    async def drafted(self, contract_id: str = "", **request: Any) -> dict[str, Any]:
        """Creates an invoice of what is ready and waits for its draft."""
        path = f"/v1/contracts/{contract_id or self.contract_id}/create-invoice"
        run = await self.backlog("POST", path, request)
        assert run["status"] == "claimed", run
        return await self.open_draft(run["id"])

    async def open_draft(self, run_id: str) -> dict[str, Any]:
        """Waits for the draft of a run, whole."""

        async def whole() -> dict[str, Any] | None:
            found = await self.product.all("invoicing", "/v1/invoices", run_id=run_id)
            return found[0] if len(found) == 1 and found[0]["status"] == "draft" else None

        draft = await eventually(whole)
        assert draft is not None
        return draft

    async def invoice(self, invoice_id: str) -> dict[str, Any]:
        """The invoice as it is now."""
        found: dict[str, Any] = await self.invoicing("GET", f"/v1/invoices/{invoice_id}")
        return found

    async def details(self, invoice_id: str) -> list[dict[str, Any]]:
        """All details of an invoice, in order."""
        return await self.product.all("invoicing", f"/v1/invoices/{invoice_id}/details")

    async def edit(self, invoice_id: str, detail_id: str, **fields: Any) -> dict[str, Any]:
        """Edits one detail of a draft."""
        path = f"/v1/invoices/{invoice_id}/details/{detail_id}"
        edited: dict[str, Any] = await self.invoicing("PATCH", path, fields, "biller", headers={"If-Match": "*"})
        return edited

    async def confirm(self, invoice_id: str) -> dict[str, Any]:
        """The second approval: confirms the invoice as it is now and waits until the ledger has it."""
        headers = {"If-Match": f'"{(await self.invoice(invoice_id))["version"]}"'}
        await self.invoicing("POST", f"/v1/invoices/{invoice_id}/confirm", headers=headers)
        return await self.posted(invoice_id)

    async def posted(self, invoice_id: str) -> dict[str, Any]:
        """Waits until the ledger has a confirmed invoice."""

        async def in_ledger() -> dict[str, Any] | None:
            found = await self.invoice(invoice_id)
            assert found["posting"] != "blocked", found
            return found if found["posting"] == "posted" else None

        found = await eventually(in_ledger)
        assert found is not None
        return found

    async def billed(self, quantity: str = "8") -> tuple[str, dict[str, Any]]:
        """An entry that is billed by an invoice of its own, in the ledger; entry id and invoice."""
        entry_id = await self.worked(quantity)
        await self.mark_ready()
        return entry_id, await self.confirm((await self.drafted())["id"])

    # -- what a biller checks in the end

    async def ledger(self, **query: Any) -> list[Row]:
        """The ledger's rows as (type, billing type, quantity, amount), sorted."""
        found = await self.product.all("billing-backlog", "/v1/actuals", "biller", **query)
        return sorted(
            (one["type"], one["billing_type"], Decimal(one["quantity"]), Decimal(one["amount"])) for one in found
        )

    async def is_sound(self) -> None:
        """Everything said is heard, nothing was set aside, nothing waits, and the ledger keeps its laws."""
        await self.product.quiet()
        assert await self.product.dead_letters() == []
        assert (await main_job.check_ledger(self.product))["violations"] == []
        for name in ("time-expense", "billing-backlog", "invoicing"):
            await eventually(partial(self._nothing_waits, name))

    async def _nothing_waits(self, name: str) -> bool:
        # What a loop says in its own time is in the outbox for a moment.
        return bool(await value(self.product.runtime(name), "select count(*) = 0 from waiting"))
