"""The main job, over HTTP alone: import as approved, mark ready, draft, review, confirm, check the ledger."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from examples.client import DemoError, Stack, wait_for
from examples.plan import Plan, Row
from examples.setup import Terms

Show = Callable[[str], None]
BULK = 1_000


def import_entries(stack: Stack, plan: Plan, show: Show) -> tuple[list[Row], list[dict[str, Any]]]:
    """Imports the rows as approved entries; returns those that are entries now, and the import's problems."""
    content, begins = plan.upload()
    began = stack.entries.call(
        "POST", "/v1/entries/import", "approver",
        params={"state": "approved"}, headers={"Content-Type": "text/csv"}, content=content,
    ).json()  # fmt: skip
    job = stack.entries.job(began, "approver", lambda job: show(_of("rows imported", job)))
    problems = [
        {**one, "external_id": begins[one["row"]]["external_id"]}
        for one in stack.entries.pages(f"/v1/jobs/{began['id']}/problems", "approver")
    ]
    refused = {one["row"] for one in problems}
    # An id that comes twice is one entry: the first row makes it, and the same row again changes nothing.
    entries = {row["external_id"]: row for line, row in reversed(begins.items()) if line not in refused}
    if job["result"]["created"] != len(entries):
        raise DemoError(f"{job['result']['created']} entries were imported, {len(entries)} should be")
    return list(entries.values()), problems


def await_backlog(stack: Stack, expected: Mapping[str, int], show: Show) -> list[dict[str, Any]]:
    """Waits until the backlog has as many items of each project as were approved, and returns them."""
    found: dict[str, list[dict[str, Any]]] = {}

    def look() -> bool | None:
        # One project after the other: all of them at every look would keep the services from their work.
        for project, count in expected.items():
            if len(found.get(project, ())) < count:
                found[project] = list(stack.backlog.pages("/v1/backlog", project=project))
                show(f"{sum(map(len, found.values())):,} of {sum(expected.values()):,} entries in the backlog")
                if len(found[project]) < count:
                    return None
        return True

    wait_for("the backlog", look)
    for project, count in expected.items():
        if len(found[project]) > count:
            raise DemoError(f"project {project} has {len(found[project])} items in the backlog, {count} were approved")
    return [item for items in found.values() for item in items]


def mark_ready(stack: Stack, contracts: Iterable[str], show: Show) -> tuple[int, Counter[str]]:
    """Marks everything of these contracts ready; returns how many are, and the reasons of those that cannot be."""
    changed, refused = 0, Counter[str]()
    for number, contract_id in enumerate(contracts, start=1):
        show(f"contract {number}: marking ready")
        body = {"filter": {"contract_id": contract_id, "billing_status": "unbilled"}}
        answer = stack.backlog.post("/v1/backlog/mark-ready", "biller", body)
        if "status" in answer:
            job = stack.backlog.job(answer, "biller", lambda job: show(_of("items marked ready", job)))
            changed += job["result"]["changed"]
            refused.update(one["reason"] for one in stack.backlog.pages(f"/v1/jobs/{job['id']}/problems", "biller"))
        else:
            changed += answer["changed"]
            refused.update(one["reason"] for one in answer["refused"])
    return changed, refused


def schedule(stack: Stack, plan: Plan, terms: Terms) -> None:
    """Gives the plan's contract lines their schedules; what is due is triggered by the scheduler from then on."""
    bodies = [{"contract_line_id": terms.lines[one["contract_line"]], "rows": one["rows"]} for one in plan.schedules]
    if bodies:
        stack.backlog.create("/v1/invoice-schedules", "biller", bodies)


def create_invoices(stack: Stack, contracts: Sequence[str], show: Show) -> None:
    """Asks for an invoice of each contract, in bulk, and waits for the job."""
    for start in range(0, len(contracts), BULK):
        body = {"ids": list(contracts[start : start + BULK])}
        job = stack.backlog.post("/v1/contracts/create-invoice", "biller", body)
        stack.backlog.job(job, "biller", lambda job: show(_of("contracts taken", job)))


def await_drafts(stack: Stack, expected: Mapping[str, int], show: Show) -> list[dict[str, Any]]:
    """Waits until each contract's runs have `expected` lines in all and their claims are drafted; returns the runs."""
    done: dict[str, list[dict[str, Any]]] = {}

    def look() -> bool | None:
        for contract_id, lines in expected.items():
            if contract_id not in done:
                runs = list(stack.backlog.pages("/v1/invoice-runs", contract_id=contract_id))
                _refuse_failed(runs)
                drafted = all(claim["drafted"] for run in runs for claim in run["claims"])
                if not drafted or sum(len(run["lines"]) for run in runs) < lines:
                    return None
                done[contract_id] = runs
                show(f"{len(done):,} of {len(expected):,} contracts drafted")
        return True

    wait_for("the drafts", look)
    return [run for runs in done.values() for run in runs]


def _refuse_failed(runs: Iterable[dict[str, Any]]) -> None:
    for run in runs:
        if run["status"] == "failed":
            raise DemoError(f"invoice run {run['id']} failed: GET /v1/invoice-runs/{run['id']}")


def invoices(stack: Stack, contracts: Iterable[str], **wanted: Any) -> list[dict[str, Any]]:
    """The invoices of these contracts."""
    found: list[dict[str, Any]] = []
    for contract_id in contracts:
        found += stack.invoicing.pages("/v1/invoices", contract_id=contract_id, **wanted)
    return found


def review(stack: Stack, drafts: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], str] | None:
    """Takes the last detail off the longest draft, as a manager would who does not want it billed yet.

    Returns the detail and the external id of its entry; None when no draft would have a detail left.
    """
    draft = max(drafts, key=lambda one: int(one["details"]))
    if draft["details"] < 2:
        return None
    details = list(stack.invoicing.pages(f"/v1/invoices/{draft['id']}/details"))
    removed = max(details, key=lambda detail: (detail["date"], detail["id"]))
    path = f"/v1/invoices/{draft['id']}/details/{removed['id']}"
    stack.invoicing.call("DELETE", path, "manager", headers={"If-Match": f'"{draft["version"]}"'})
    entry = stack.entries.get(f"/v1/entries/{removed['entry_id']}", "approver")

    def look() -> bool | None:
        item = stack.backlog.get(f"/v1/backlog/{removed['item_id']}")
        return True if item["billing_status"] == "ready" else None

    wait_for("the removed detail's way back to the backlog", look)
    return removed, str(entry["external_id"])


def confirm(stack: Stack, drafts: Sequence[Mapping[str, Any]], show: Show) -> list[dict[str, Any]]:
    """Confirms exactly these versions and waits until the ledger has them; returns the invoices."""
    for start in range(0, len(drafts), BULK):
        pairs = [{"id": one["id"], "version": one["version"]} for one in drafts[start : start + BULK]]
        answer = stack.invoicing.post("/v1/invoices/confirm", "manager", {"items": pairs})
        if answer["changed"] != len(pairs):
            raise DemoError(f"{len(pairs)} drafts to confirm, {answer['changed']} confirmed: {answer['refused'][:3]}")
    posted: dict[str, dict[str, Any]] = {}

    def look() -> bool | None:
        for draft in drafts:
            if draft["id"] not in posted:
                now = stack.invoicing.get(f"/v1/invoices/{draft['id']}")
                if now["posting"] == "blocked":
                    raise DemoError(f"the posting of {now['number']} is blocked: {now['posting_reason']}")
                if now["posting"] != "posted":
                    return None
                posted[now["id"]] = now
                show(f"{len(posted):,} of {len(drafts):,} invoices in the ledger")
        return True

    wait_for("the postings", look)
    return [posted[draft["id"]] for draft in drafts]


def summaries(stack: Stack, contracts: Iterable[str], confirmed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The summary of each contract; a DemoError when one says that other sums are billed than its invoices do."""
    found = []
    for contract_id in contracts:
        name = stack.backlog.get(f"/v1/contracts/{contract_id}")["name"]
        summary = stack.backlog.get(f"/v1/contracts/{contract_id}/summary")
        billed = sum((Decimal(one["total"]) for one in confirmed if one["contract_id"] == contract_id), Decimal(0))
        if Decimal(summary["total"]["billed"]) != billed:
            raise DemoError(f"{name}: the summary says {summary['total']['billed']} billed, the invoices {billed}")
        found.append({**summary, "name": name})
    return found


def check_ledger(stack: Stack, show: Show) -> dict[str, Any]:
    """Runs the ledger's check over everything; returns its result."""
    began = stack.backlog.post("/v1/ledger/check", "biller", {})
    job = stack.backlog.job(began, "biller", lambda job: show(_of("rows checked", job)))
    result: dict[str, Any] = job["result"]
    if result["violations"]:
        raise DemoError(f"the ledger check found {len(result['violations'])} violations: {result['violations'][:3]}")
    return result


def _of(what: str, job: Mapping[str, Any]) -> str:
    total = job["total"]
    return f"{job['done']:,} of {total:,} {what}" if total else f"{job['done']:,} {what}"
