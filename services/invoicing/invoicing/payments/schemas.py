"""Bodies of marking as paid."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from proforma.bodies import Input


class PaidIn(Input):
    """The invoices that are paid."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]
