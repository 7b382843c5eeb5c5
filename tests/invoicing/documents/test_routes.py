"""One invoice, as JSON and as a page."""

import re
import uuid
from decimal import Decimal
from html.parser import HTMLParser

from tests.invoicing.claimed import Claiming, Desk, item

PAGE = {"Accept": "text/html"}
VOID = {"meta", "br"}


class Balanced(HTMLParser):
    """Fails on a tag that is not closed, or closed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href"} & {name for name, _ in attrs}, "the page needs something from outside"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_json_unless_a_page_is_wanted(desk: Desk) -> None:
    draft = await desk.draft(1)
    path = f"/v1/invoices/{draft['id']}"
    plain = await desk.biller.get(path)
    assert plain.headers["content-type"] == "application/json"
    assert (plain.headers["etag"], plain.headers["vary"]) == (f'"{draft["version"]}"', "Accept")
    page = await desk.biller.get(path, headers=PAGE)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert (page.headers["etag"], page.headers["vary"]) == (f'"{draft["version"]}"', "Accept")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_the_page_shows_the_invoice_line_by_line(desk: Desk) -> None:
    claim = Claiming(lines=[uuid.uuid4() for _ in range(3)])
    claim.with_items(
        item(claim.lines[1], "2.00", "100", external_description="Second"),
        item(claim.lines[0], "8.00", "200", external_description="First <b>", tax=Decimal("304.00")),
        item(claim.lines[1], "1.00", "50", billing_type="complimentary", external_description="Gift"),
    )
    await desk.deliver(*claim.chunks())
    assert (await desk.confirm(await desk.show(claim.id))).status_code == 200
    page = (await desk.biller.get(f"/v1/invoices/{claim.id}", headers=PAGE)).text
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    text = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    parts = ["PF-2026-000001", "Acme &lt;Ltd&gt;", "1 High Street", "Line 1", "First &lt;b&gt;", "1,600.00", "Line 2",
             "Second", "200.00", "Gift", "(complimentary)", "Line 3", "Nothing to bill", "Subtotal 1,800.00",
             "Tax 304.00", "Total EUR 2,104.00", "3 items on 3 lines"]  # fmt: skip
    for part in parts:
        before, found, shown = shown.partition(part)
        assert found, f"{part!r} is not behind {before!r}"
    # What is for the house only does not go to the customer.
    assert "internal" not in page


async def test_the_page_of_a_large_invoice_has_every_detail(desk: Desk) -> None:
    draft = await desk.draft(1_300)
    async with desk.biller.stream("GET", f"/v1/invoices/{draft['id']}", headers=PAGE) as answer:
        page = "".join([piece async for piece in answer.aiter_text()])
    assert page.count("<tr><td>2026-02-27</td>") == 1_300
    assert page.endswith("</html>\n")


async def test_a_page_of_nothing_is_not_found(desk: Desk) -> None:
    answer = await desk.biller.get(f"/v1/invoices/{uuid.uuid4()}", headers=PAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (await desk.api.as_("submitter").get(f"/v1/invoices/{uuid.uuid4()}", headers=PAGE)).status_code == 403


async def test_a_corrective_is_a_page_of_its_own(desk: Desk) -> None:
    original = await desk.billed(1)
    draft = await desk.corrective(original["id"])
    (one,) = await desk.details(draft["id"])
    await desk.edited(draft["id"], one["id"], quantity="6")
    answer = await desk.biller.get(f"/v1/invoices/{draft['id']}", headers={"Accept": "text/html"})
    for part in (f"<dd>{original['number']}</dd>", "8.00 hour", "6.00 hour", "1,600.00", "1,200.00", "-400.00"):
        assert part in answer.text
