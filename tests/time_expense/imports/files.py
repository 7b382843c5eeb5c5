"""Uploads, and what became of them."""

from collections import Counter
from typing import Any

import httpx

from proforma.events.time_expense import EntriesApproved
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.work import ENTRIES, body, finish, pm

CSV = {"content-type": "text/csv"}
NDJSON = {"content-type": "application/x-ndjson"}
COLUMNS = ("external_id", "class", "project", "task", "resource", "role", "date", "quantity", "description")


def csv_of(*rows: dict[str, Any], columns: tuple[str, ...] = COLUMNS) -> str:
    """A CSV with one row for each of `rows`, which replace fields of the usual entry."""
    lines = [",".join(columns)]
    for row in rows:
        full = {**body(), **row}
        lines.append(",".join(f'"{full[name]}"' if full.get(name) is not None else "" for name in columns))
    return "\r\n".join(lines) + "\r\n"


async def send(
    client: Api, upload: str | bytes, state: str = "draft", *, who: httpx.AsyncClient | None = None, **headers: str
) -> httpx.Response:
    """Uploads, without waiting for the job."""
    content = upload.encode() if isinstance(upload, str) else upload
    named = {name.replace("_", "-"): value for name, value in headers.items()} or CSV
    return await (who or pm(client)).post(
        f"{ENTRIES}/import", params={"state": state}, content=content, headers={**CSV, **named}
    )


async def imported(
    client: Api, upload: str | bytes, state: str = "draft", *, who: httpx.AsyncClient | None = None, **headers: str
) -> dict[str, Any]:
    """The job of an upload, when it is over."""
    answer = await send(client, upload, state, who=who, **headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    await finish(client.runtime)
    return await job_of(client, answer.json()["id"])


async def job_of(client: Api, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await pm(client).get(f"/v1/jobs/{job_id}")).json()
    return found


async def problems_of(client: Api, job: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    """Line, external_id and reason of each row that did nothing."""
    items = (await pm(client).get(f"/v1/jobs/{job['id']}/problems?limit=1000")).json()["items"]
    return [(item["row"], item["external_id"], item["reason"]) for item in items]


async def entries_of(client: Api) -> dict[str, dict[str, Any]]:
    """All entries by external_id."""
    items = (await pm(client).get(f"{ENTRIES}?limit=1000")).json()["items"]
    return {item["external_id"]: item for item in items}


def numbered(count: int, **fields: Any) -> list[dict[str, Any]]:
    """`count` rows, te-0 and on, with the same `fields`."""
    return [{"external_id": f"te-{n}", **fields} for n in range(count)]


async def told(client: Api) -> Counter[str]:
    """How often each entry was told as approved, by external_id."""
    events = [EntriesApproved.model_validate(event.body) for event in await outbox_of(client.runtime)]
    return Counter(entry.external_id or "" for event in events for entry in event.entries)
