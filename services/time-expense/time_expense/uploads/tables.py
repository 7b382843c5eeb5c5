"""Uploads: kept whole until the job that applies them is over."""

from uuid import UUID

from sqlmodel import Field

from time_expense.base import Base


class UploadPiece(Base, table=True):
    """Piece `n` (from 0) of an upload; all but the last are of one size."""

    __tablename__ = "upload_pieces"

    job_id: UUID = Field(primary_key=True)
    n: int = Field(primary_key=True)
    bytes: bytes
