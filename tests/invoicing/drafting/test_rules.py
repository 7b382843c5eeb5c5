"""What a chunk must be, without a database."""

from datetime import date
from uuid import UUID

import pytest

from invoicing.drafting.rules import check_chunk, check_claim, check_counts, check_draft, later
from proforma.errors import BrokenRule

ONE, TWO, LINE = UUID(int=1), UUID(int=2), UUID(int=9)


def test_a_true_chunk_passes() -> None:
    check_chunk(2, 2, 5, [ONE, TWO], {LINE}, [LINE])


@pytest.mark.parametrize(
    ("chunk", "announced", "items", "lines", "because"),
    [
        (3, 5, [ONE], {LINE}, "chunk 3 of 2"),
        (1, 5, [ONE, ONE], {LINE}, "named twice"),
        (1, 1, [ONE, TWO], {LINE}, "2 items in a chunk of a claim of 1"),
        (1, 5, [ONE], {LINE, TWO}, "does not name"),
    ],
)
def test_a_chunk_that_contradicts_itself_is_refused(
    chunk: int, announced: int, items: list[UUID], lines: set[UUID], because: str
) -> None:
    with pytest.raises(BrokenRule, match=because):
        check_chunk(chunk, 2, announced, items, lines, [LINE])


def test_two_stories_of_one_claim_are_refused() -> None:
    known = {"id": ONE, "run_id": TWO, "chunks": 3}
    check_claim(known, {"run_id": TWO, "chunks": 3})
    with pytest.raises(BrokenRule, match="another chunks"):
        check_claim(known, {"run_id": TWO, "chunks": 4})


def test_a_draft_is_of_one_contract_and_currency() -> None:
    draft = {"id": ONE, "contract_id": TWO, "currency": "EUR"}
    check_draft(draft, TWO, "EUR")
    check_draft(None, TWO, "USD")
    with pytest.raises(BrokenRule, match="in EUR"):
        check_draft(draft, TWO, "USD")
    with pytest.raises(BrokenRule, match="of contract"):
        check_draft(draft, ONE, "EUR")


@pytest.mark.parametrize(("seen", "items"), [(1, 11), (2, 9)])
def test_items_must_add_up_to_what_was_announced(seen: int, items: int) -> None:
    with pytest.raises(BrokenRule, match="announced 10 items"):
        check_counts(ONE, seen, 2, items, 10)


def test_a_part_may_hold_less() -> None:
    check_counts(ONE, 1, 2, 9, 10)
    check_counts(ONE, 2, 2, 10, 10)


def test_the_later_cut_off_holds() -> None:
    early, late = date(2026, 2, 1), date(2026, 3, 1)
    assert later(early, late) == later(late, early) == later(None, late) == late
    assert later(None, None) is None
