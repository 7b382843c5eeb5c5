"""The main job, over HTTP alone: import as approved, mark ready, draft, review, confirm, check the ledger."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from examples.client import DemoError, Stack, wait_for
from examples.plan import Plan
from examples.setup import Terms

Show = Callable[[str], None]
BULK = 1_000


def import_entries(stack: Stack, plan: Plan, show: Show) -> list[dict[str, Any]]:
    """Imports the rows as approved entries; returns what the import refused, row by row."""
    began = stack.entries.call(
        "POST", "/v1/entries/import", "approver",
        params={"state": "approved"}, headers={"Content-Type": "text/csv"}, content=plan.csv(),
    ).json()  # fmt: skip
    stack.entries.job(began, "approver", lambda job: show(_of("entries imported", job)))
    return list(stack.entries.pages(f"/v1/jobs/{began['id']}/problems", "approver"))


def await_backlog(stack: Stack, expected: Mapping[str, int], show: Show) -> list[dict[str, Any]]:
    """Waits until the backlog has as many items of each project as were approved, and returns them."""
    found: dict[str, list[dict[str, Any]]] = {}

    def look() -> bool | None:
        for project, count in expected.items():
            if len(found.get(project, ())) < count:
                found[project] = list(stack.backlog.pages("/v1/backlog", project=project))
        show(f"{sum(map(len, found.values())):,} of {sum(expected.values()):,} entries in the backlog")
        return True if all(len(found[project]) >= count for project, count in expected.items()) else None

    wait_for("the backlog", look)
    for project, count in expected.items():
        if len(found[project]) != count:
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
                if drafted and sum(len(run["lines"]) for run in runs) >= lines:
                    done[contract_id] = runs
        show(f"{len(done):,} of {len(expected):,} contracts drafted")
        return True if len(done) == len(expected) else None

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


def review(stack: Stack, draft: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Takes the last detail off a draft, as a manager would who does not want it billed yet.

    Returns the detail and the external id of its entry.
    """
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
                if now["posting"] == "posted":
                    posted[now["id"]] = now
        show(f"{len(posted):,} of {len(drafts):,} invoices in the ledger")
        return True if len(posted) == len(drafts) else None

    wait_for("the postings", look)
    return [posted[draft["id"]] for draft in drafts]


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
