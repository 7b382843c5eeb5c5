"""The terms of a play: customers, price lists, contracts and lines are created, and the contracts activated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from examples.client import Service, Stack
from examples.plan import Plan, renamed


@dataclass(frozen=True, slots=True)
class Terms:
    """Ids of what was made, by external id."""

    contracts: Mapping[str, str]
    lines: Mapping[str, str]


def next_play(stack: Stack, plan: Plan) -> tuple[int, Plan]:
    """The number of this play and the plan under its names.

    Nothing of an earlier play is touched or reused: what was billed stays billed, so each play has own projects,
    own external ids and own contracts. The first is number 1, with the names as they are in the files.
    """
    play = 1
    while True:
        mine = renamed(plan, play)
        known = stack.backlog.get("/v1/customers", external_id=mine.customers[0]["external_id"])
        if not known["items"]:
            return play, mine
        play += 1


def make_terms(stack: Stack, plan: Plan) -> Terms:
    """Creates everything the plan names and activates its contracts."""
    customers = _create(stack.backlog, "/v1/customers", plan.customers)
    lists = _create(stack.backlog, "/v1/price-lists", plan.price_lists)
    contracts = _create(stack.backlog, "/v1/contracts", [_contract(one, customers, lists) for one in plan.contracts])
    lines = _create(stack.backlog, "/v1/contract-lines", list(_lines(plan, contracts)))
    for contract_id in contracts.values():
        stack.backlog.post(f"/v1/contracts/{contract_id}/activate", "manager", If_Match="*")
    return Terms(contracts, lines)


def _create(service: Service, path: str, bodies: Sequence[dict[str, Any]]) -> dict[str, str]:
    made = service.create(path, "biller", list(bodies))
    return {body["external_id"]: one["id"] for body, one in zip(bodies, made, strict=True)}


def _contract(contract: Mapping[str, Any], customers: Mapping[str, str], lists: Mapping[str, str]) -> dict[str, Any]:
    return {
        "external_id": contract["external_id"],
        "name": contract["name"],
        "customer_id": customers[contract["customer"]],
        "currency": contract["currency"],
        "time_zone": contract["time_zone"],
        "sales_price_list_ids": [lists[name] for name in contract["sales_price_lists"]],
        "cost_price_list_id": lists[contract["cost_price_list"]],
    }


def _lines(plan: Plan, contracts: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for contract in plan.contracts:
        for line in contract["lines"]:
            yield {**line, "contract_id": contracts[contract["external_id"]]}


def scheduled(plan: Plan) -> dict[str, Sequence[dict[str, str]]]:
    """Contract → its schedule's rows by run date, for the contracts that the scheduler bills."""
    rows = {one["contract_line"]: one["rows"] for one in plan.schedules}
    return {
        contract["external_id"]: sorted(rows[line["external_id"]], key=lambda row: str(row["run_date"]))
        for contract in plan.contracts
        for line in contract["lines"]
        if line["external_id"] in rows
    }


def scheduled_lines(plan: Plan) -> dict[str, int]:
    """Contract → on how many days, over all of its lines, its schedules are due."""
    rows = {one["contract_line"]: len(one["rows"]) for one in plan.schedules}
    counts = {
        contract["external_id"]: sum(rows.get(line["external_id"], 0) for line in contract["lines"])
        for contract in plan.contracts
    }
    return {contract: count for contract, count in counts.items() if count}
