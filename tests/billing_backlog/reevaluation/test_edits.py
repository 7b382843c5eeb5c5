"""Activating and editing lines start re-evaluation by themselves, and show before what it would do (design §5.6)."""

from typing import Any

import httpx
import pytest

from tests.billing_backlog.masters import Json, Masters, line_body
from tests.billing_backlog.reevaluation.steps import run_jobs
from tests.billing_backlog.scene import approve, entry, items, violations
from tests.support.api import Api
from tests.support.rows import rows, value

PREVIEW = {"preview": "true"}
ANY = {"If-Match": "*"}


@pytest.fixture
async def draft(desk: Masters, client: Api) -> tuple[Json, Json]:
    """A draft contract for PORTAL with prices, and its line; two entries are approved before it is active."""
    prices = await desk.price_list()
    contract = await desk.contract(sales_price_list_ids=[prices["id"]])
    line = await desk.line(contract)
    await approve(client.runtime, entry(1, project="PORTAL"), entry(2, project="PORTAL", task="T"))
    return contract, line


async def statuses(client: Api) -> list[str]:
    return sorted(item["billing_status"] for item in await items(client.runtime))


async def followed(client: Api, answer: httpx.Response) -> dict[str, Any]:
    """The result of the job that the answer leads to."""
    assert answer.is_success, answer.text
    path = answer.headers["link"].partition(">")[0].removeprefix("<")
    await run_jobs(client)
    found: dict[str, Any] = (await client.as_("biller").get(path)).json()["result"]
    return found


async def test_activating_takes_the_work_that_was_approved_before(
    draft: tuple[Json, Json], desk: Masters, client: Api
) -> None:
    path = f"/v1/contracts/{draft[0]['id']}/activate"
    shown = await desk.manager.post(path, params=PREVIEW, headers=ANY)
    assert (shown.status_code, shown.json()["kinds"]) == (200, {"to_line": 2})
    status = (await desk.manager.get(f"/v1/contracts/{draft[0]['id']}")).json()
    assert (status["status"], status["version"]) == ("draft", draft[0]["version"])
    assert await value(client.runtime, "select count(*) from outbox where type like '%schedule%'") == 0
    assert await value(client.runtime, "select count(*) from jobs") == 0
    result = await followed(client, await desk.manager.post(path, headers=ANY))
    assert result["kinds"] == {"to_line": 2}
    assert await statuses(client) == ["unbilled", "unbilled"]
    assert await violations(client.runtime) == []


async def active(draft: tuple[Json, Json], desk: Masters, client: Api) -> Json:
    await followed(client, await desk.verb(draft[0]["id"], "activate"))
    return draft[1]


async def test_an_edit_moves_work_and_a_new_name_does_not(draft: tuple[Json, Json], desk: Masters, client: Api) -> None:
    path = f"/v1/contract-lines/{(await active(draft, desk, client))['id']}"
    shown = await desk.biller.patch(path, json={"tasks": ["T"]}, params=PREVIEW, headers=ANY)
    assert shown.json()["kinds"] == {"off_line": 1}
    assert (await desk.biller.get(path)).json()["tasks"] is None
    renamed = await desk.patch(path, {"name": "Other"})
    assert (renamed.status_code, "link" in renamed.headers) == (200, False)
    assert (await followed(client, await desk.patch(path, {"tasks": ["T"]})))["kinds"] == {"off_line": 1}
    assert await statuses(client) == ["cost_only", "unbilled"]


async def test_a_new_line_of_an_active_contract_takes_what_lay_on_none(
    draft: tuple[Json, Json], desk: Masters, client: Api
) -> None:
    line = await active(draft, desk, client)
    await followed(client, await desk.patch(f"/v1/contract-lines/{line['id']}", {"tasks": ["T"]}))
    body = line_body(draft[0]["id"]) | {"tasks": ["U"]}
    shown = await desk.biller.post("/v1/contract-lines", json=body, params=PREVIEW)
    assert (shown.status_code, shown.json()["changed"]) == (200, 0)
    await approve(client.runtime, entry(3, project="PORTAL", task="U"))
    shown = await desk.biller.post("/v1/contract-lines", json=[body], params=PREVIEW)
    assert (shown.status_code, shown.json()["kinds"]) == (200, {"to_line": 1})
    assert len(await rows(client.runtime, "select id from contract_lines")) == 1
    made = await desk.biller.post("/v1/contract-lines", json=body)
    assert (await followed(client, made))["kinds"] == {"to_line": 1}
    gone = f"/v1/contract-lines/{(await desk.line(draft[0], tasks=['V']))['id']}"
    shown = await desk.biller.delete(gone, params=PREVIEW, headers=ANY)
    assert (shown.status_code, shown.json()["changed"]) == (200, 0)
    assert (await desk.biller.get(gone)).status_code == 200
    assert (await followed(client, await desk.delete(gone)))["changed"] == 0


async def test_a_preview_of_what_is_refused_is_refused(draft: tuple[Json, Json], desk: Masters, client: Api) -> None:
    await active(draft, desk, client)
    body = line_body(draft[0]["id"])
    shown = await desk.biller.post("/v1/contract-lines", json=body, params=PREVIEW)
    assert shown.status_code == 409
    stale = await desk.manager.post(
        f"/v1/contracts/{draft[0]['id']}/activate", params=PREVIEW, headers={"If-Match": '"1"'}
    )
    assert stale.status_code == 412
