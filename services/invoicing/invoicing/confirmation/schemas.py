"""Bodies of confirming."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from proforma.bodies import Input


class ReviewedIn(Input):
    """An invoice and the version of it that was reviewed."""

    id: UUID
    version: Annotated[int, Field(ge=1, le=999_999_999)]


def _once(items: list[ReviewedIn]) -> list[ReviewedIn]:
    if len({item.id for item in items}) < len(items):
        raise ValueError("each invoice once")
    return items


class ConfirmIn(Input):
    """What is confirmed: each with the version that was reviewed, never a filter."""

    items: Annotated[list[ReviewedIn], Field(min_length=1, max_length=1000), AfterValidator(_once)]
