"""`POST /v1/entries/import`: a file of entries, streamed, as a job."""

from collections.abc import AsyncIterator
from email.message import Message
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from starlette.requests import ClientDisconnect

from proforma.auth import role
from proforma.bodies import JobOut
from proforma.errors import Invalid, TooLarge
from proforma.http import Ctx, StreamedTx, router
from proforma.problems import problems
from time_expense.imports import service
from time_expense.imports.schemas import ImportQuery
from time_expense.uploads.rules import CHARSETS, Form, charset_of

routes = router("/v1/entries", "imports")

PATH = "/v1/entries/import"
"""The one path whose body may be larger than memory."""

_FORMS: dict[str, Form] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
_CSV = """external_id,class,project,task,resource,role,date,quantity
te-1,time,P-100,design,ada,consultant,2026-03-02,8.00
"""
_NDJSON = (
    '{"external_id": "te-1", "class": "time", "project": "P-100", "resource": "ada", "role": "consultant",'
    ' "date": "2026-03-02", "quantity": "8.00"}'
)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": _CSV},
            # In words: what checks an API by its examples knows no form of this media type to send one in.
            "application/x-ndjson": {"schema": {"type": "string", "description": f"A JSON object per line: {_NDJSON}"}},
        },
    }
}


@routes.post(
    "/import",
    status_code=202,
    dependencies=[role("submitter", "approver", "service")],
    responses=problems(409, 413),
    openapi_extra=_BODY,
)
async def import_entries(
    wanted: Annotated[ImportQuery, Query()],
    request: Request,
    session: StreamedTx,
    context: Ctx,
    response: Response,
    _key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
) -> JobOut:
    """Imports entries from CSV (RFC 4180, the first line names the columns) or from a JSON object per line.

    Columns are the fields of a create; those of classes that the file does not have may be missing.

    Columns are the fields of an entry, `external_id` in every row; UTF-8, or the `charset` of the content type.
    A row that is known and the same is skipped, so a broken import is simply sent again. One that is known and
    changed updates a draft or rejected entry, and is a problem (`wrong_state`) otherwise. A bad row is a problem
    with its line number; the rest goes on. What a row makes or changes comes into the `state` of the query.
    """
    form, charset = _form(request.headers.get("content-type", ""))
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > context.limits.upload_bytes_max:
        raise TooLarge(f"at most {context.limits.upload_bytes_max} bytes")
    job = await service.start(session, context, _stream(request), form=form, charset=charset, state=wanted.state)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


async def _stream(request: Request) -> AsyncIterator[bytes]:
    try:
        async for part in request.stream():
            yield part
    except ClientDisconnect as error:
        # Nobody hears this; but what has come so far must not be committed as if it were the whole.
        raise Invalid("the upload broke off") from error


def _form(content_type: str) -> tuple[Form, str]:
    header = Message()
    header["content-type"] = content_type
    form = _FORMS.get(header.get_content_type()) if content_type else None
    if form is None:
        raise Invalid.field("/headers/Content-Type", "not a form of import", list(_FORMS))
    charset = charset_of(header.get_content_charset())
    if charset is None:
        raise Invalid.field("/headers/Content-Type", "not a charset of imports", CHARSETS)
    return form, charset
