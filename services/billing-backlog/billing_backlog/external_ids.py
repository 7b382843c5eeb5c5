"""The caller's own ids: unique in their noun, and told apart from a broken rule when they are taken."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from billing_backlog.base import ResourceRow
from proforma.errors import Conflict, Invalid


async def refuse_taken(session: AsyncSession, table: type[ResourceRow], sent: Mapping[str, str | None]) -> None:
    """Checks the external ids of a create, by the pointers of its objects.

    Raises Conflict, naming the holder, when one object was sent; Invalid, naming every bad index, for an array, of
    which nothing is made. A race that passes here is refused by the unique constraint.
    """
    known = [one for one in sent.values() if one is not None]
    rows = await session.execute(select(col(table.external_id), col(table.id)).where(col(table.external_id).in_(known)))
    holders = {external_id: f"is the external_id of {holder}" for external_id, holder in rows}
    if "" in sent and holders:
        raise Conflict(f"{sent['']!r} {holders[sent['']]}")
    errors = []
    for pointer, external_id in sent.items():
        if external_id is None:
            continue
        if external_id in holders:
            errors.append({"pointer": f"{pointer}/external_id", "detail": f"{external_id!r} {holders[external_id]}"})
        holders.setdefault(external_id, f"is sent twice: {pointer} has it too")
    if errors:
        raise Invalid(f"{len(errors)} of {len(sent)} external ids are taken", errors[:100])
