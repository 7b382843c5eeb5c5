"""What a confirm settles first: what is written off, and what a corrective leaves as it was."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.remainders import queries
from proforma.context import Context
from proforma.money import minor_units


async def unchanged(session: AsyncSession, invoices: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """The correctives among locked invoices that change nothing; they are not to be confirmed."""
    correctives = [invoice["id"] for invoice in invoices if invoice["kind"] == "corrective"]
    return {*correctives} - await queries.changed(session, correctives) if correctives else set()


async def edited(session: AsyncSession, ids: Sequence[UUID], most: int) -> dict[UUID, Mapping[str, Any]]:
    """What `rules.pack` must know of those invoices that have edited or hand-added details."""
    return await queries.edited(session, ids, most)


async def settle(
    session: AsyncSession, context: Context, invoices: Sequence[Mapping[str, Any]]
) -> dict[UUID, Mapping[str, Any]]:
    """Makes the details of locked invoices what the ledger is told; returns what `rules.pack` must know of edited ones.

    A reduced quantity that is written off leaves a detail of its own; a corrective's detail that equals its original
    goes. Neither is a change that a reviewer has not seen: the version stays.
    """
    if correctives := [invoice["id"] for invoice in invoices if invoice["kind"] == "corrective"]:
        await queries.drop_unchanged(session, correctives)
    ids = [invoice["id"] for invoice in invoices]
    known = await edited(session, ids, context.limits.event_list_max)
    if rests := sum(one["written_off"] for one in known.values()):
        units = {
            invoice["id"]: minor_units(invoice["currency"])
            for invoice in invoices
            if invoice["id"] in known and known[invoice["id"]]["written_off"]
        }
        await queries.write_off(session, units, [context.ids() for _ in range(rests)])
    return known
