"""Every event's example is valid by its schema, and its consumer takes it; what services say in the story is it too."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest

from billing_backlog.worker import HANDLERS as BACKLOG
from proforma.clock import SetClock, new_id
from proforma.envelope import Event, decode
from proforma.events.billing_backlog import (
    ActualsPosted,
    CancellationsAnswered,
    InvoicePosted,
    ItemsClaimed,
    PostingBlocked,
    ScheduleChanged,
    ScheduleEnded,
)
from proforma.events.invoicing import (
    ClaimDropped,
    DetailsReleased,
    InvoiceConfirmed,
    InvoiceDiscarded,
    InvoiceDrafted,
)
from proforma.events.scheduler import RunDue
from proforma.events.time_expense import CancellationsRequested, EntriesApproved
from proforma.runtime import Runtime
from reference import samples
from reference.events import EVENTS, sample_of, schema_of
from reference.samples import SAMPLES
from scheduler.worker import HANDLERS as SCHEDULER
from tests.billing_backlog import scene
from tests.conftest import MakeApi, MakeRuntime
from tests.invoicing.claimed import Desk
from tests.support.events import deliver, outbox_of, record_of
from tests.support.rows import change, rows, value
from time_expense.worker import HANDLERS as TIME_EXPENSE

CLAIMED = "update items set billing_status = 'on_invoice', claim_id = $1 where id = $2"
CLAIM = """
insert into claims (id, run_id, contract_id, items, amount, chunks, status, created_at, created_by, updated_at)
values ($1, $2, $3, 1, 1600, 1, 'claimed', now(), 't', now())
"""
READY = "select billing_status = 'ready' and claim_id is null from items where id = $1"


def test_every_event_has_an_example() -> None:
    assert SAMPLES.keys() == set(EVENTS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_an_example_is_valid_and_its_like_without_a_field_is_not(event: type[Event]) -> None:
    schema = schema_of(event)
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    body = sample_of(event)
    validator.validate(body)
    assert decode(event, record_of(SAMPLES[event])).body == SAMPLES[event]
    for name in schema["required"]:
        assert not validator.is_valid({key: value for key, value in body.items() if key != name}), name


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_unknown_fields_are_allowed_by_schema_and_model(event: type[Event]) -> None:
    body = {**sample_of(event), "said_by_a_later_release": 1}
    jsonschema_rs.validator_for(schema_of(event)).validate(body)
    record = replace(record_of(SAMPLES[event]), value=json.dumps(body).encode())
    assert decode(event, record).body == SAMPLES[event]


async def said(runtime: Runtime, event: type[Event]) -> Any:
    """The body of the newest event of this kind."""
    return [one.body for one in await outbox_of(runtime) if one.type == event.TYPE][-1]


def with_numbers(body: Any) -> Any:
    """The body with decimals as numbers: how many zeros they are written with is nobody's business."""
    if isinstance(body, dict):
        return {name: with_numbers(value) for name, value in body.items()}
    if isinstance(body, list):
        return [with_numbers(one) for one in body]
    return Decimal(body) if isinstance(body, str) and re.fullmatch(r"-?\d+\.?\d*", body) else body


async def test_billing_backlog_takes_its_own(make_runtime: MakeRuntime, clock: SetClock) -> None:
    first: Iterator[UUID] = iter((samples.COST, samples.ITEM))
    fresh = chain(first, iter(new_id, None))
    clock.set(datetime(2026, 3, 3, 8, 30, tzinfo=UTC))
    runtime = await make_runtime("billing-backlog", ids=lambda: next(fresh))
    await scene.firm(runtime)
    await scene.contract(runtime, samples.CONTRACT, {samples.LINE: "PORTAL"})
    await deliver(runtime, BACKLOG, SAMPLES[EntriesApproved])
    told = ActualsPosted.model_validate(await said(runtime, ActualsPosted))
    assert with_numbers(told.model_dump(mode="json")) == with_numbers(sample_of(ActualsPosted))
    await change(runtime, CLAIM, samples.CLAIM, samples.RUN, samples.CONTRACT)
    for release in (DetailsReleased, ClaimDropped, InvoiceDiscarded):
        await change(runtime, CLAIMED, samples.CLAIM, samples.ITEM)
        await deliver(runtime, BACKLOG, SAMPLES[release])
        assert await value(runtime, READY, samples.ITEM), release
    await change(runtime, CLAIMED, samples.CLAIM, samples.ITEM)
    await deliver(runtime, BACKLOG, SAMPLES[InvoiceDrafted], SAMPLES[InvoiceConfirmed], SAMPLES[RunDue])
    assert with_numbers(await said(runtime, InvoicePosted)) == with_numbers(sample_of(InvoicePosted))
    await deliver(runtime, BACKLOG, SAMPLES[CancellationsRequested])
    assert await said(runtime, CancellationsAnswered) == sample_of(CancellationsAnswered)
    assert await scene.violations(runtime) == []


async def test_invoicing_takes_its_own(api: MakeApi, clock: SetClock) -> None:
    clock.set(datetime(2026, 4, 1, 9, tzinfo=UTC))
    client = await api("invoicing")
    desk = Desk(client.runtime, client)
    await desk.deliver(SAMPLES[ItemsClaimed])
    drafted = sample_of(InvoiceDrafted)
    assert with_numbers(await said(desk.runtime, InvoiceDrafted)) == with_numbers(drafted)
    assert (await desk.confirm(await desk.show(samples.INVOICE))).status_code == 200
    confirmed = InvoiceConfirmed.model_validate(await said(desk.runtime, InvoiceConfirmed))
    wanted = SAMPLES[InvoiceConfirmed].model_dump(mode="json")
    wanted["confirmed_by"] = "manager"
    wanted["details"][0]["detail_id"] = str(confirmed.details[0].detail_id)
    assert with_numbers(confirmed.model_dump(mode="json")) == with_numbers(wanted)
    await desk.deliver(SAMPLES[PostingBlocked])
    assert (await desk.show(samples.INVOICE))["posting"] == "blocked"
    await desk.deliver(SAMPLES[InvoicePosted])
    assert (await desk.show(samples.INVOICE))["posting"] == "posted"


async def test_scheduler_takes_its_own(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("scheduler")
    await deliver(runtime, SCHEDULER, SAMPLES[ScheduleChanged])
    listed = "select id, run_date, contract_line_id, status from triggers"
    assert [tuple(row.values())[1:] for row in await rows(runtime, listed)] == [
        (datetime(2026, 3, 31, tzinfo=UTC).date(), samples.LINE, "upcoming")
    ]
    await deliver(runtime, SCHEDULER, SAMPLES[ScheduleEnded])
    assert {row["status"] for row in await rows(runtime, listed)} <= {"canceled"}


async def test_time_expense_leaves_the_answer_on_an_entry_of_another_system(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("time-expense")
    await deliver(runtime, TIME_EXPENSE, SAMPLES[CancellationsAnswered])
    assert await value(runtime, "select count(*) from entries") == 0
