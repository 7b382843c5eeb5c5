"""Why an item is where it is: the facts behind its reasons."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.backlog.queries import by_id
from billing_backlog.explanations import queries
from billing_backlog.explanations.rules import Lying, Taking, refusals, sentence, turn
from billing_backlog.explanations.schemas import (
    ExchangeOut,
    ExplainOut,
    InvoiceOut,
    LineOut,
    ListOut,
    PriceOut,
    ReasonOut,
    ReversalOut,
)
from billing_backlog.pricing.queries import Lists, exchange_rates, lists_for
from billing_backlog.pricing.rules import PriceList, Wanted, find_rate
from proforma.clock import Clock
from proforma.db import fetch, fetch_one, fetch_value
from proforma.errors import NotFound

Item = Mapping[str, Any]


async def explain(session: AsyncSession, clock: Clock, item_id: UUID) -> ExplainOut:
    """Everything that decides on the item, open or closed; raises NotFound."""
    item = await by_id(session, clock, item_id)
    if item is None:
        raise NotFound(f"no item {item_id}")
    who, what = turn(item["billing_status"], item["reasons"])
    reversal = await fetch_one(session, queries.REVERSAL, item_id)
    invoice = None
    if item["claim_id"] or item["billing_status"] == "posted":
        invoice = InvoiceOut(claim_id=item["claim_id"], invoice_id=item["invoice_id"])
    return ExplainOut(
        id=item_id, billing_status=item["billing_status"], turn=who, to_do=what,
        reasons=[ReasonOut(reason=one, detail=sentence(one)) for one in item["reasons"]],
        contract_id=item["contract_id"], contract_line_id=item["contract_line_id"],
        lines=await _lines(session, item) if item["billing_status"] == "cost_only" else [],
        price=await _price(session, item) if item["contract_id"] and item["entry_id"] else None,
        invoice=invoice, reversal=ReversalOut.model_validate(dict(reversal)) if reversal else None,
    )  # fmt: skip


async def _lines(session: AsyncSession, item: Item) -> list[LineOut]:
    work = Lying(item["class"], item["task"], item["date"])
    names = ("contract_status", "includes", "tasks", "valid_from", "valid_to")
    return [
        LineOut.model_validate({**row, "refuses": refusals(Taking(*(row[name] for name in names)), work)})
        for row in await fetch(session, queries.LINES, item["project"])
    ]


async def _price(session: AsyncSession, item: Item) -> PriceOut:
    contract = await fetch_one(session, queries.CONTRACT, item["contract_id"])
    if contract is None:  # pragma: no cover - items name contracts that exist
        raise NotFound(f"no contract {item['contract_id']}")
    key = item["role"] or item["category"] or item["product"]
    wanted = Wanted(item["class"], key, item["resource"] or "", item["unit"], item["date"], item["quantity"])
    ids = contract["sales_price_list_ids"]
    lists = await lists_for(session, ids, [wanted])
    names = {row["id"]: row["name"] for row in await fetch(session, queries.NAMES, ids)}
    found = [_list(one, wanted, names[one.id]) for one in lists.of(ids)]
    exchange = await _exchange(session, item, contract["currency"]) if _starts_from_cost(lists, ids, wanted) else None
    return PriceOut(key=key, unit=item["unit"], lists=found, exchange=exchange)


def _list(one: PriceList, wanted: Wanted, name: str) -> ListOut:
    found = find_rate(wanted, [one])
    return ListOut(
        price_list_id=one.id, name=name, currency=one.currency, valid_from=one.valid_from, valid_to=one.valid_to,
        holds=one.holds(wanted.date), rate_id=found[1].id if found else None, method=found[1].method if found else None,
    )  # fmt: skip


def _starts_from_cost(lists: Lists, ids: list[UUID], wanted: Wanted) -> bool:
    found = find_rate(wanted, lists.of(ids))
    return found is not None and found[1].method != "per_unit"


async def _exchange(session: AsyncSession, item: Item, currency: str) -> ExchangeOut | None:
    source = await fetch_value(session, queries.COST, item["entry_id"])
    if source is None or source == currency:
        return None
    pair = (source, currency, item["date"])
    found = (await exchange_rates(session, [pair])).get(pair)
    return ExchangeOut(
        source=source, target=currency, date=item["date"], exchange_rate_id=found.id if found else None,
        rate=found.rate if found else None,
    )  # fmt: skip
