"""The services and the books beside them, and how what one shows is compared with the other."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.billing_backlog.scene import violations
from tests.model.books import Books, Figures, Item
from tests.model.world import SERVICES, World
from tests.support.rows import rows

HUNDREDTHS = Decimal(100)
BILLING_TYPES = ("chargeable", "non_chargeable", "complimentary")


@dataclass
class Play:
    """The services and the books beside them."""

    world: World
    books: Books
    contract_id: str
    line_id: str


Command = Callable[[Play, int, int], Awaitable[None]]


def hundredths(text: str) -> int:
    return int(Decimal(text) * HUNDREDTHS)


def decimal(value: int) -> str:
    return f"{Decimal(value) / HUNDREDTHS:.2f}"


def figures_of(shown: Mapping[str, Any]) -> Figures:
    """Figures as the API shows them."""
    price = int(Decimal(shown["price"]) * 10_000)
    return Figures(hundredths(shown["quantity"]), price, hundredths(shown["amount"]), shown["billing_type"])


def pick(some: list[Any], n: int) -> Any:
    return some[n % len(some)]


async def open_items(play: Play) -> dict[str, Item]:
    """The backlog as it is."""
    page = await play.world.ok("billing-backlog", "GET", "/v1/backlog?limit=1000", "biller")
    return {
        one["id"]: Item(one["entry_id"], figures_of(one), one["billing_status"], one["invoice_id"])
        for one in page["items"]
    }


async def adopt(play: Play, expected: list[Item]) -> None:
    """The items that the books expect get the ids that the services gave them; there may be no other new ones."""
    new = {key: one for key, one in (await open_items(play)).items() if key not in play.books.items}
    assert sorted(map(str, (one.told() for one in new.values()))) == sorted(map(str, (one.told() for one in expected)))
    for item in expected:
        key = next(key for key, one in new.items() if one.told() == item.told())
        play.books.items[key] = item
        del new[key]


_BILLED = """
select contract_line_id, sum(amount) as amount from actuals
where type = 'billed_sales' and billing_type = 'chargeable' group by 1 having sum(amount) <> 0 order by 1
"""
_INVOICED = """
select l.contract_line_id, sum(l.chargeable) as amount from invoice_lines l join invoices i on i.id = l.invoice_id
where i.status in ('confirmed', 'paid') group by 1 having sum(l.chargeable) <> 0 order by 1
"""
_ON_INVOICE = "select id as item_id, claim_id from items where billing_status = 'on_invoice' order by 1"
_ON_DRAFTS = """
select d.item_id, d.claim_id from invoice_details d join invoices i on i.id = d.invoice_id
where i.status in ('building', 'draft', 'in_review') and d.claim_id is not null order by 1
"""
_POSTED = """
select a.id as item_id from actuals a join actuals r on r.reverses = a.id
where a.type = 'unbilled_sales' and r.cause = 'confirm' order by 1
"""
_CONFIRMED = """
select d.item_id from invoice_details d join invoices i on i.id = d.invoice_id
where i.status in ('confirmed', 'paid') and d.claim_id is not null and d.written_off_from is null order by 1
"""


async def invoices_and_ledger_agree(play: Play) -> None:
    """What is invoiced per line is what is billed; each item on an invoice, and each posted one, has one detail.

    The specification's rules 4 and 6: they hold across two databases, so no check inside of one can prove them.
    """
    backlog, invoicing = (play.world.apis[name].runtime for name in ("billing-backlog", "invoicing"))
    for ours, theirs in ((_BILLED, _INVOICED), (_ON_INVOICE, _ON_DRAFTS), (_POSTED, _CONFIRMED)):
        assert await rows(backlog, ours) == await rows(invoicing, theirs)


async def nothing_is_wrong(play: Play) -> None:
    """No law of the ledger is broken, nothing was set aside and nobody waits for anything."""
    assert await violations(play.world.apis["billing-backlog"].runtime) == []
    await invoices_and_ledger_agree(play)
    for name in SERVICES:
        runtime = play.world.apis[name].runtime
        assert await rows(runtime, "select reason from dead_letters") == []
        assert await rows(runtime, "select kind, detail from waiting where kind <> 'outbox'") == []
    numbers = "select number from invoices where number is not null order by number"
    given_out = [row["number"] for row in await rows(play.world.apis["invoicing"].runtime, numbers)]
    assert given_out == [f"PF-2026-{n:06}" for n in range(1, len(given_out) + 1)]
