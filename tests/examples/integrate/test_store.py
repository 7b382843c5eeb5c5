"""The example's store: whatever comes twice, late or in pieces is posted once, and what cannot be posted stops it."""

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from examples.integrate.general_ledger import trial_balance
from examples.integrate.postings import ACCRUED, CUSTOMER, REVENUE, WIP, DoesNotAddUp
from examples.integrate.store import ACTUALS, CONFIRMED, Received, Store, UnknownVersion
from proforma.events.billing_backlog import ActualsPosted
from proforma.events.invoicing import InvoiceConfirmed
from reference.events import sample_of

INVOICE = sample_of(InvoiceConfirmed)


def received(kind: str, body: Any, ce_id: str | None = None) -> Received:
    return Received(ce_id or str(uuid4()), kind, json.dumps(body).encode())


def approved() -> Received:
    return received(ACTUALS, sample_of(ActualsPosted))


def reversed_by_invoice() -> Received:
    _, row = sample_of(ActualsPosted)["actuals"]
    back = {**row, "id": str(uuid4()), "cause": "confirm", "quantity": "-8.00", "amount": "-1600.00",
            "reverses": row["id"], "invoice_id": INVOICE["invoice_id"]}  # fmt: skip
    return received(ACTUALS, {"actuals": [back]})


def chunks(count: int) -> list[Received]:
    """The invoice `count` details long, a chunk each."""
    (detail,) = INVOICE["details"]
    totals = {"count": count, "quantity": str(8 * count), "amount": str(1600 * count), "tax": "0"}
    whole = {**INVOICE, "totals": totals, "chunks": count}
    return [received(CONFIRMED, {**whole, "details": [detail], "chunk": n}) for n in range(1, count + 1)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_an_approval_and_its_invoice(store: Store) -> None:
    assert store.take([approved()]) == 1
    assert store.balances() == {(ACCRUED, "EUR"): -1600, (WIP, "EUR"): 1600}
    store.take([*chunks(1), reversed_by_invoice()])
    assert store.balances() == {
        (ACCRUED, "EUR"): 0, (CUSTOMER, "EUR"): 1600, (REVENUE, "EUR"): -1600, (WIP, "EUR"): 0
    }  # fmt: skip
    assert sum(store.balances(invoice_id=INVOICE["invoice_id"]).values()) == 0
    assert "customer              EUR          1,600.00" in trial_balance(store)


def test_the_same_message_twice_is_posted_once(store: Store) -> None:
    messages = [approved(), *chunks(3), reversed_by_invoice()]
    assert store.take(messages) == 5
    before = store.balances()
    assert store.take(messages) == 0
    assert store.balances() == before


def test_the_same_content_under_another_id_is_posted_once(store: Store) -> None:
    """What an operator asks again is said again: new `ce_id`, same rows, same chunks."""
    store.take([approved(), *chunks(3)])
    before = store.balances()
    store.take([approved(), *chunks(3), *chunks(3)[:2]])
    assert store.balances() == before
    assert store.incomplete() == {}


def test_an_invoice_is_posted_when_its_last_chunk_is_in_whatever_the_order(store: Store) -> None:
    pieces = chunks(4)
    random.Random(7).shuffle(pieces)
    store.take(pieces[:3])
    store.take([chunks(4)[int(json.loads(pieces[0].body)["chunk"]) - 1]])
    assert store.balances() == {}
    assert store.incomplete() == {INVOICE["invoice_id"]: 3}
    assert "3 chunks so far" in trial_balance(store)
    store.take(pieces[3:])
    assert store.balances()[CUSTOMER, "EUR"] == 6400
    assert store.incomplete() == {}


def test_a_batch_with_one_bad_message_leaves_nothing(store: Store, tmp_path: Path) -> None:
    wrong = received(CONFIRMED, {**INVOICE, "totals": {**INVOICE["totals"], "amount": "1"}})
    with pytest.raises(DoesNotAddUp):
        store.take([approved(), wrong])
    assert store.balances() == {}
    with sqlite3.connect(tmp_path / "ledger.sqlite") as other:
        assert other.execute("select count(*) from inbox").fetchone() == (0,)


def test_what_is_nobodys_revenue_is_passed_over_and_a_newer_version_is_not(store: Store) -> None:
    assert store.take([received("proforma.invoicing.invoice.drafted.v1", {})]) == 0
    with pytest.raises(UnknownVersion, match=r"v2"):
        store.take([received("proforma.invoicing.invoice.confirmed.v2", {})])


def test_what_was_posted_is_there_after_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as first:
        message = approved()
        first.take([message])
    with Store(tmp_path / "a.sqlite") as second:
        assert second.take([message]) == 0
        assert second.balances()[WIP, "EUR"] == 1600
