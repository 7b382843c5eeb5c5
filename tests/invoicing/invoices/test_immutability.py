"""Raw SQL against confirmed invoices, under the service's own login: as a mistake or an intruder in it would."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from invoicing.editing.rules import EDITED
from tests.invoicing.claimed import Desk, claiming

COLUMNS = [
    "number", "invoice_date", "accounting_date", "description", "subtotal", "tax", "total", "details", "lines",
    "control_quantity", "control_amount", "control_tax", "confirmed_by", "confirmed_at",
]  # fmt: skip
FIXED = [
    "id", "kind", "run_id", "contract_id", "contract_name", "customer_id", "customer_name", "currency", "original_id",
    "created_at", "created_by",
]  # fmt: skip
OTHER = {
    "number": "'PF-2026-000099'", "invoice_date": "'2020-01-01'", "accounting_date": "'2020-01-01'",
    "description": "'x'", "confirmed_by": "'x'", "confirmed_at": "now()", "total": "total + 0, subtotal = subtotal + 1",
}  # fmt: skip

MADE = [
    "invoice_id", "id", "contract_line_id", "claim_id", "item_id", "entry_id", "class", "source", "written_off_from",
    "original_detail_id", "returned_by",
]  # fmt: skip

DETAIL = """
insert into invoice_details (invoice_id, id, contract_line_id, class, source, date, quantity, unit, price, amount, tax,
                             billing_type)
select invoice_id, gen_random_uuid(), contract_line_id, class, source, date, quantity, unit, price, amount, tax,
       billing_type from invoice_details
"""
LINE = """
insert into invoice_lines (invoice_id, id, contract_line_id, name, kind, includes, chargeable, non_chargeable,
                           complimentary, tax, total, details)
select invoice_id, gen_random_uuid(), gen_random_uuid(), name, kind, includes, 0, 0, 0, 0, 0, 0 from invoice_lines
"""


@pytest.fixture
async def login(desk: Desk) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await desk.runtime.database.connect()
    yield connection
    await connection.close()


async def refused(login: Any, statement: str, *args: Any) -> None:
    with pytest.raises((asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)):
        await login.execute(statement, *args)


@pytest.fixture
async def invoice(desk: Desk) -> dict[str, Any]:
    return await desk.confirmed(2)


async def test_no_field_of_a_confirmed_invoice_changes(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    for column in COLUMNS:
        with pytest.raises(asyncpg.RestrictViolationError, match="cannot be changed"):
            await login.execute(f"update invoices set {column} = {OTHER.get(column, f'{column} + 1')}")
    assert await desk.show(invoice["id"]) == invoice


async def test_what_an_invoice_is_never_changes_confirmed_or_not(desk: Desk, login: Any) -> None:
    await desk.draft(1)
    for column in FIXED:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"update invoices set {column} = {column}")


async def test_a_confirmed_invoice_does_not_go_back(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    for status in ("building", "draft", "in_review", "discarded"):
        for change in (f"status = '{status}'", f"status = '{status}', number = null, posting = 'none'"):
            await refused(login, f"update invoices set {change}")
    assert await desk.show(invoice["id"]) == invoice


async def test_what_the_ledger_says_may_still_change(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    await login.execute(
        "update invoices set posting = 'blocked', posting_reason = 'x', version = version + 1, updated_at = now()"
    )
    assert (await desk.show(invoice["id"]))["posting_reason"] == "x"


async def test_nothing_of_a_confirmed_invoice_is_deleted(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    for table in ("invoices", "invoice_lines", "invoice_details", "invoice_history"):
        await refused(login, f"delete from {table}")
        await refused(login, f"truncate {table}")
    assert len(await desk.details(invoice["id"])) == 2


async def test_lines_and_details_do_not_change(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    lines, details = await desk.lines(invoice["id"]), await desk.details(invoice["id"])
    await refused(login, "update invoice_lines set chargeable = chargeable + 1, total = total + 1")
    for column in EDITED:
        with pytest.raises(asyncpg.RestrictViolationError, match="not open"):
            await login.execute(f"update invoice_details set {column} = {column}")
    for column in MADE:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"update invoice_details set {column} = {column}")
    await refused(login, "update invoice_history set by = 'x'")
    assert (await desk.lines(invoice["id"]), await desk.details(invoice["id"])) == (lines, details)


async def test_nothing_comes_on_to_a_confirmed_invoice(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    await refused(login, DETAIL)
    await refused(login, LINE)
    (row, _) = await login.fetch("select * from invoice_details")
    copied = {**row, "id": uuid.uuid4()}
    with pytest.raises(asyncpg.RestrictViolationError):
        await login.copy_records_to_table("invoice_details", columns=list(copied), records=[tuple(copied.values())])
    assert len(await desk.details(invoice["id"])) == 2


async def test_nothing_comes_on_to_an_invoice_that_is_not_there(desk: Desk, login: Any) -> None:
    await desk.draft(1)
    await refused(login, DETAIL.replace("select invoice_id", "select gen_random_uuid()"))


async def test_one_settled_invoice_among_open_ones_is_enough(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    await desk.draft(3)
    await refused(login, "delete from invoice_details")
    await refused(login, DETAIL)
    assert len(await login.fetch("select 1 from invoice_details")) == 5


async def test_no_invoice_is_born_confirmed(login: Any, invoice: dict[str, Any]) -> None:
    await refused(
        login,
        "insert into invoices select (jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(),"
        " 'run_id', null, 'number', 'PF-2026-000002'))).* from invoices i",
    )


async def test_what_is_paid_stays_paid(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    await login.execute("update invoices set status = 'paid', version = version + 1")
    for attack in ("status = 'confirmed'", "status = 'draft'", "description = 'x'", "total = total, subtotal = 0"):
        await refused(login, f"update invoices set {attack}")
    await refused(login, "delete from invoice_details")
    await refused(login, "update invoice_details set remainder = null")


async def test_a_confirmed_corrective_is_as_final(desk: Desk, login: Any) -> None:
    original = await desk.billed(2)
    made = (await desk.act("void", original["id"])).json()
    before = (await desk.details(original["id"]), await desk.details(made["id"]))
    for attack in (
        "update invoice_details set was_amount = 0", "update invoice_details set quantity = 8, amount = 1600",
        "delete from invoice_details where original_detail_id is not null",
        "delete from invoice_lines", "update invoice_lines set chargeable = 0, total = tax",
    ):  # fmt: skip
        await refused(login, attack)
    assert (await desk.details(original["id"]), await desk.details(made["id"])) == before


async def test_a_discarded_invoice_is_as_final(desk: Desk, login: Any) -> None:
    draft = await desk.draft(1)
    await desk.biller.post(f"/v1/invoices/{draft['id']}/discard", headers={"If-Match": "*"})
    for attack in ("status = 'draft'", "description = 'x'", "version = version + 1"):
        await refused(login, f"update invoices set {attack}")
    await refused(login, "delete from invoice_details")


async def test_the_guards_cannot_be_taken_down(login: Any, invoice: dict[str, Any]) -> None:
    for attack in (
        "alter table invoices disable trigger settled_invoice",
        "drop trigger settled_details_insert on invoice_details",
        "alter table invoice_details disable trigger all",
        "create or replace function refuse_change_in_settled_invoice() returns trigger language plpgsql as"
        " $$ begin return null; end $$",
        "set session_replication_role = replica",
        "drop table invoice_details",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(attack)


async def test_a_table_of_the_same_name_does_not_mislead_the_guards(
    desk: Desk, login: Any, invoice: dict[str, Any]
) -> None:
    await login.execute("create temp table invoices as select id, 'draft' as status from public.invoices")
    await login.execute("create temp table added (invoice_id uuid)")
    await login.execute("create temp table gone (invoice_id uuid)")
    await login.execute("set search_path = pg_temp, public")
    await refused(login, "delete from public.invoice_details")
    await refused(login, DETAIL)
    assert len(await desk.details(invoice["id"])) == 2


async def test_a_detail_added_while_somebody_confirms_waits_or_is_refused(desk: Desk, login: Any) -> None:
    claim = claiming(1)
    await desk.deliver(*claim.chunks())
    shown = await desk.show(claim.id)
    attack = login.transaction()
    await attack.start()
    await login.execute(DETAIL)
    confirming = asyncio.create_task(desk.confirm(shown))
    done, _ = await asyncio.wait([confirming], timeout=0.5)
    # The invoice is locked by the trigger: to confirm now would fix totals that the new detail makes wrong.
    assert not done
    await attack.commit()
    assert (await confirming).status_code == 500
    assert (await desk.show(claim.id))["status"] == "draft"


async def test_numbers_are_unique(desk: Desk, login: Any, invoice: dict[str, Any]) -> None:
    await login.execute("update invoice_numbers set last = 0")
    draft = await desk.draft(1)
    refused_ = await desk.confirm(draft)
    assert refused_.status_code == 409
    assert (await desk.show(draft["id"])) == draft


async def test_a_run_has_one_open_draft(desk: Desk, login: Any) -> None:
    await desk.draft(1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await login.execute(
            "insert into invoices select (jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid()))).*"
            " from invoices i"
        )
