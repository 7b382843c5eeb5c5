"""Domain §2.1 as one table: what each verb makes of an entry in each state."""

from typing import Any

from proforma.events.billing_backlog import CancellationsAnswered
from tests.support.api import Api
from tests.support.events import deliver, outbox_of
from tests.time_expense.work import ANY, ENTRIES, person, pm, submitted
from time_expense.worker import HANDLERS

SAME, REFUSED = "=", "-"
"""It is there already: unchanged in bulk, 409 alone. Not from here: `wrong_state` in bulk, 409 alone."""

_TEXT = """
                  draft      submitted  approved                rejected   cancellation_requested
 edit             draft      -          -                       rejected   -
 delete           gone       -          -                       gone       -
 submit           submitted  =          -                       submitted  -
 recall           =          draft      -                       -          -
 approve          -          approved   =                       -          -
 reject           -          rejected   -                       =          -
 cancel-approval  -          -          cancellation_requested  -          =
"""
_HEAD, *_ROWS = [line.split() for line in _TEXT.splitlines() if line.strip()]
STATES = tuple(_HEAD)
TABLE = {verb: dict(zip(STATES, row, strict=True)) for verb, *row in _ROWS}

WAYS = {**{state: state for state in STATES}, "refused": "approved", "reversed": "submitted"}
"""How an entry got there, and the state that it is then in: the ledger's answers lead to two of them again."""


async def brought(client: Api, way: str, **fields: Any) -> str:
    """The id of an entry of ada's that came this way."""
    [entry_id] = await submitted(client, **fields)
    path = f"{ENTRIES}/{entry_id}"
    if way == "draft":
        await person(client).post(f"{path}/recall", headers=ANY)
    elif way == "rejected":
        await pm(client).post(f"{path}/reject", json={"reason": "x"}, headers=ANY)
    elif way != "submitted":
        await pm(client).post(f"{path}/approve", headers=ANY)
    if way in ("cancellation_requested", "refused", "reversed"):
        await pm(client).post(f"{path}/cancel-approval", json={"reason": "x"}, headers=ANY)
    if way in ("refused", "reversed"):
        await answer(client, entry_id, way)
    shown = (await pm(client).get(path)).json()["status"]
    assert shown == WAYS[way], (way, shown)
    return entry_id


async def questions(client: Api, entry_id: str) -> list[dict[str, Any]]:
    """What was asked of the ledger about an entry, oldest first."""
    asked = [sent for sent in await outbox_of(client.runtime) if "cancellation-requested" in sent.type]
    return [entry for sent in asked for entry in sent.body["entries"] if entry["id"] == entry_id]


def answered(question: dict[str, Any], outcome: str, **told: Any) -> CancellationsAnswered:
    """The ledger's answer to a question."""
    entry = {name: question[name] for name in ("id", "revision", "request_id")}
    body = {"project": question["project"], "entries": [{**entry, "outcome": outcome, **told}]}
    return CancellationsAnswered.model_validate(body)


async def answer(client: Api, entry_id: str, outcome: str, **told: Any) -> None:
    """Has the ledger answer the last question about an entry."""
    *_, last = await questions(client, entry_id)
    await deliver(client.runtime, HANDLERS, answered(last, outcome, **told))
