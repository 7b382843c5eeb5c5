"""The example's general ledger: one SQLite file. A message and all that it posts are one transaction.

Three things keep a message from posting twice. Its `ce_id` is inserted before its effect, which answers Kafka's own
repeats: a producer that crashed, a consumer that did not get to commit its offsets. A voucher is named after what it is
made of, which answers what is said again under a new `ce_id`, as an operator's "ask again" does. And a chunk is kept
under its number until the last one of its invoice is in.
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from examples.integrate.postings import Voucher, accrual, invoice

ACTUALS = "proforma.billing-backlog.actuals.posted.v1"
CONFIRMED = "proforma.invoicing.invoice.confirmed.v1"

# Amounts are whole ten-thousandths: no currency has more than four decimals, and SQLite adds integers exactly.
_UNIT = Decimal(10_000)
_TABLES = """
create table if not exists inbox (ce_id text primary key);
create table if not exists chunks (
  invoice_id text, chunk integer, body text not null, primary key (invoice_id, chunk));
create table if not exists vouchers (
  id text primary key, date text not null, currency text not null, contract_id text not null, invoice_id text,
  subject text);
create table if not exists postings (
  voucher_id text not null references vouchers, account text not null, contract_line_id text not null,
  amount integer not null);
"""


class UnknownVersion(Exception):
    """A newer version of an event that is read here: to ignore it would lose money in silence."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message, as far as it matters here."""

    ce_id: str
    ce_type: str
    body: bytes


class Store:
    """Used in `with`. One process at a time: SQLite locks the file."""

    def __init__(self, file: Path | str) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def take(self, messages: Iterable[Received]) -> int:
        """Posts what is new among these, all or nothing; returns how many were. Raises UnknownVersion, DoesNotAddUp."""
        self._db.execute("begin immediate")
        try:
            new = sum(self._take(one) for one in messages)
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")
        return new

    def _take(self, message: Received) -> bool:
        if not self._is_ours(message.ce_type):
            return False
        if not self._inserted("insert or ignore into inbox values (?)", message.ce_id):
            return False
        body = json.loads(message.body)
        if message.ce_type == ACTUALS:
            for actual in body["actuals"]:
                self._post(accrual(actual))
        else:
            self._chunk(body)
        return True

    def _is_ours(self, kind: str) -> bool:
        if kind in (ACTUALS, CONFIRMED):
            return True
        if kind.rpartition(".v")[0] in {one.rpartition(".v")[0] for one in (ACTUALS, CONFIRMED)}:
            raise UnknownVersion(kind)
        return False  # Drafts and releases are nobody's revenue.

    def _chunk(self, body: dict[str, Any]) -> None:
        """An invoice is posted when it is whole: in which order its chunks come is not promised."""
        invoice_id = body["invoice_id"]
        if self._rows("select 1 from vouchers where id = ?", f"invoice:{invoice_id}"):
            return
        kept = "insert or ignore into chunks values (?, ?, ?)"
        self._inserted(kept, invoice_id, body["chunk"], json.dumps(body))
        found = self._rows("select body from chunks where invoice_id = ? order by chunk", invoice_id)
        if len(found) == body["chunks"]:
            self._post(invoice([json.loads(text) for (text,) in found]))
            self._db.execute("delete from chunks where invoice_id = ?", (invoice_id,))

    def _post(self, voucher: Voucher | None) -> None:
        if voucher is None:
            return
        if sum(one.amount for one in voucher.postings):
            raise AssertionError(f"{voucher.id} does not balance")
        named = (voucher.id, voucher.date, voucher.currency, voucher.contract_id, voucher.invoice_id, voucher.subject)
        if self._inserted("insert or ignore into vouchers values (?, ?, ?, ?, ?, ?)", *named):
            rows = [
                (voucher.id, one.account, one.contract_line_id, int(one.amount * _UNIT)) for one in voucher.postings
            ]
            self._db.executemany("insert into postings values (?, ?, ?, ?)", rows)

    def balances(self, **of: str) -> dict[tuple[str, str], Decimal]:
        """What each account stands at, by (account, currency), those at zero too.

        `of` narrows it to vouchers with this `invoice_id`, `contract_id`, `subject` or `id`.
        """
        where = " and ".join(["true", *(f"v.{name} = ?" for name in of)])
        sql = f"""
        select account, currency, sum(amount) from postings p join vouchers v on v.id = p.voucher_id
        where {where} group by 1, 2 order by 1, 2
        """
        return {(account, currency): amount / _UNIT for account, currency, amount in self._rows(sql, *of.values())}

    def incomplete(self) -> dict[str, int]:
        """Invoices of which chunks are missing, with how many are there: what to look at when it lasts."""
        return dict(self._rows("select invoice_id, count(*) from chunks group by 1 order by 1"))

    def _inserted(self, sql: str, *values: object) -> bool:
        return self._db.execute(sql, values).rowcount == 1

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with closing(self._db.execute(sql, values)) as found:
            return found.fetchall()
