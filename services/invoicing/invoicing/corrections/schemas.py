"""Bodies of correcting."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from invoicing.invoices.schemas import WhyIn


class CorrectIn(WhyIn):
    """What is corrected, and why."""

    detail_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="These details; unless given, every one that is still billed."
    )
