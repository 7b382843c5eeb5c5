"""How many events an invoice takes, without a database."""

from uuid import UUID

import pytest

from invoicing.remainders.rules import Packing, pack

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(("details", "chunks"), [(1, 1), (499, 1), (500, 1), (501, 2), (200_000, 400)])
def test_details_are_told_in_chunks(details: int, chunks: int) -> None:
    assert pack([{"id": ONE, "details": details}], {}, 500) == Packing(chunks, edited=False)


@pytest.mark.parametrize(("details", "chunks"), [(499, 1), (500, 2), (998, 2), (999, 3)])
def test_a_chunk_with_rests_has_room_for_one_more(details: int, chunks: int) -> None:
    edited = {ONE: {"written_off": 1, "extra": 0}}
    assert pack([{"id": ONE, "details": details}], edited, 500) == Packing(chunks, edited=True)


def test_long_texts_weigh_as_much_as_more_details() -> None:
    edited = {ONE: {"written_off": 0, "extra": 34 * 100}}
    assert pack([{"id": ONE, "details": 100}], edited, 500) == Packing(7, edited=True)


def test_each_invoice_is_packed_for_itself() -> None:
    edited = {OTHER: {"written_off": 3, "extra": 0}}
    two = [{"id": ONE, "details": 500}, {"id": OTHER, "details": 500}]
    assert pack(two, edited, 500) == Packing(3, edited=True)
