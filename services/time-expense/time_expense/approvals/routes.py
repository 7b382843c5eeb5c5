"""`/v1/entries/<verb>` and `/v1/entries/{id}/<verb>`: submit, recall, approve, reject, cancel-approval."""

from uuid import UUID

from fastapi import Response

from proforma.auth import role
from proforma.bodies import BulkResult, JobOut
from proforma.context import Context
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems
from time_expense.approvals import service
from time_expense.approvals.rules import Override
from time_expense.approvals.schemas import (
    Approval,
    BulkApproval,
    BulkCancelApproval,
    BulkRejection,
    CancelApproval,
    Rejection,
    Selection,
)
from time_expense.entries.schemas import EntryOut

routes = router("/v1/entries", "approvals")

_ONE = problems(404, 409, 412, 413, 428)
_MANY = {**problems(409, 413), 202: {"model": JobOut, "description": "More than 1,000 entries: the job that does it."}}


@routes.post("/submit", dependencies=[role("submitter")], responses=_MANY)
async def submit_entries(body: Selection, session: Tx, context: Ctx, response: Response) -> BulkResult | JobOut:
    """Hands many drafts to their approvers."""
    return await _bulk(session, context, response, service.Action("submit"), body)


@routes.post("/recall", dependencies=[role("submitter")], responses=_MANY)
async def recall_entries(body: Selection, session: Tx, context: Ctx, response: Response) -> BulkResult | JobOut:
    """Takes many submitted entries back."""
    return await _bulk(session, context, response, service.Action("recall"), body)


@routes.post("/approve", dependencies=[role("approver")], responses=_MANY)
async def approve_entries(body: BulkApproval, session: Tx, context: Ctx, response: Response) -> BulkResult | JobOut:
    """Approves many. Each that changes is told to the billing backlog, once."""
    overrides = {item.id: _override(item) for item in body.items or []}
    action = service.Action("approve", override=_override(body), overrides=overrides)
    return await _bulk(session, context, response, action, body, list(overrides) or None)


@routes.post("/reject", dependencies=[role("approver")], responses=_MANY)
async def reject_entries(body: BulkRejection, session: Tx, context: Ctx, response: Response) -> BulkResult | JobOut:
    """Sends many back to their submitters, with a reason."""
    return await _bulk(session, context, response, service.Action("reject", body.reason), body)


@routes.post("/cancel-approval", dependencies=[role("approver")], responses=_MANY)
async def cancel_approvals(
    body: BulkCancelApproval, session: Tx, context: Ctx, response: Response
) -> BulkResult | JobOut:
    """Asks the billing backlog to cancel many approvals; each entry shows its answer in `cancellation`."""
    return await _bulk(session, context, response, service.Action("cancel-approval", body.reason), body)


@routes.post("/{entry_id}/submit", dependencies=[role("submitter")], responses=_ONE)
async def submit_entry(entry_id: UUID, expected: IfMatch, session: Tx, context: Ctx, response: Response) -> EntryOut:
    """Hands a draft or rejected entry to its approvers."""
    return await _single(session, context, response, service.Action("submit"), entry_id, expected)


@routes.post("/{entry_id}/recall", dependencies=[role("submitter")], responses=_ONE)
async def recall_entry(entry_id: UUID, expected: IfMatch, session: Tx, context: Ctx, response: Response) -> EntryOut:
    """Takes a submitted entry back: a draft again."""
    return await _single(session, context, response, service.Action("recall"), entry_id, expected)


@routes.post("/{entry_id}/approve", dependencies=[role("approver")], responses=_ONE)
async def approve_entry(
    entry_id: UUID,
    expected: IfMatch,
    session: Tx,
    context: Ctx,
    response: Response,
    body: Approval | None = None,
) -> EntryOut:
    """Approves a submitted entry and tells the billing backlog. Nobody approves an own one."""
    action = service.Action("approve", override=_override(body or Approval()))
    return await _single(session, context, response, action, entry_id, expected)


@routes.post("/{entry_id}/reject", dependencies=[role("approver")], responses=_ONE)
async def reject_entry(
    entry_id: UUID, body: Rejection, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> EntryOut:
    """Sends a submitted entry back, with a reason; it can be edited and submitted again."""
    return await _single(session, context, response, service.Action("reject", body.reason), entry_id, expected)


@routes.post("/{entry_id}/cancel-approval", status_code=202, dependencies=[role("approver")], responses=_ONE)
async def cancel_approval(
    entry_id: UUID, body: CancelApproval, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> EntryOut:
    """Asks the billing backlog to cancel an approval. The entry is `cancellation_requested` until it has answered.

    Then it is `submitted` again, or `approved` still, because an invoice holds the work: `cancellation` says which.
    """
    return await _single(session, context, response, service.Action("cancel-approval", body.reason), entry_id, expected)


async def _single(
    session: Tx, context: Context, response: Response, action: service.Action, entry_id: UUID, expected: int | None
) -> EntryOut:
    entry = await service.move_one(session, context, action, entry_id, expected)
    etag(response, entry.version)
    return entry


async def _bulk(
    session: Tx,
    context: Context,
    response: Response,
    action: service.Action,
    body: Selection,
    item_ids: list[UUID] | None = None,
) -> BulkResult | JobOut:
    ids = body.ids or item_ids
    if ids is not None:
        return await service.move_many(session, context, action, ids)
    if body.filter is None:
        raise ValueError("a selection has ids, items or a filter")
    done = await service.move_matching(session, context, action, body.filter)
    if isinstance(done, JobOut):
        response.status_code = 202
        response.headers["Location"] = f"/v1/jobs/{done.id}"
    return done


def _override(body: Approval) -> Override:
    return Override(body.billable_quantity, body.billing_type)
