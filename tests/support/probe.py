"""The kernel alone as a service: kernel tests stand on it, so that they need none of the four."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import FastAPI, Response
from pydantic import Field, StringConstraints
from sqlalchemy import Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import registry
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from proforma import outbox
from proforma.admin import admin_routers
from proforma.auth import ROLES, role
from proforma.bodies import Input, Output
from proforma.context import Context
from proforma.db import execute, fetch_one, new_metadata
from proforma.envelope import Event, Message
from proforma.errors import BrokenRule, NotFound
from proforma.handlers import Handler, Handlers
from proforma.http import Ctx, IfMatch, Tx, create_app, etag, match, router
from proforma.problems import problems
from proforma.runtime import Runtime
from proforma.service import Service
from proforma.worker import Work


class Base(SQLModel, registry=registry(metadata=new_metadata())):
    """The probe's own metadata."""


class Effect(Base, table=True):
    """One row per handled event."""

    __tablename__ = "effects"

    event_id: UUID = Column(primary_key=True)
    key: str = Column(sa_type=Text)
    value: str = Column(sa_type=Text)


class Told(Event):
    """Writes `value` as an effect; `poison` is refused."""

    TYPE: ClassVar[str] = "proforma.probe.thing.told.v1"
    TOPIC: ClassVar[str] = "probe.things"

    name: str
    value: str

    def key(self) -> str:
        return self.name


class Other(Told):
    """The same under another type, to cut batches."""

    TYPE: ClassVar[str] = "proforma.probe.thing.other.v1"


async def write_effects(session: AsyncSession, _: Context, messages: Sequence[Message[Told]]) -> None:
    """One row per event; the primary key would show an event that took effect twice."""
    for message in messages:
        if message.body.value == "poison":
            raise BrokenRule("poison is not written")
    await execute(
        session,
        "insert into effects (event_id, key, value) select * from unnest($1::uuid[], $2::text[], $3::text[])",
        [message.id for message in messages],
        [message.body.name for message in messages],
        [message.body.value for message in messages],
    )


HANDLERS = Handlers(Handler(Told, write_effects), Handler(Other, write_effects))


class EffectIn(Input):
    """What a caller writes."""

    value: Annotated[str, StringConstraints(max_length=100)] = Field(examples=["done"])


class EffectOut(Output):
    """What is written."""

    event_id: UUID
    key: str
    value: str


def build_app(runtime: Runtime) -> FastAPI:
    """Routes in every shape that the kernel serves."""
    routes = router("/v1/effects", "effects")

    @routes.post("", status_code=201, dependencies=[role("biller")], responses=problems(409, 413))
    async def create(body: EffectIn, session: Tx, context: Ctx, response: Response) -> EffectOut:
        """Writes one effect and tells about it."""
        effect_id = context.once_id()
        await execute(session, "insert into effects values ($1, $2, $3)", effect_id, context.actor, body.value)
        await outbox.emit(session, context, [Told(name=context.actor, value=body.value)])
        response.headers["Location"] = f"/v1/effects/{effect_id}"
        etag(response, 1)
        return EffectOut(event_id=effect_id, key=context.actor, value=body.value)

    @routes.get("/{effect_id}", dependencies=[role(*ROLES)], responses=problems(404))
    async def show(effect_id: UUID, session: Tx) -> EffectOut:
        """One effect."""
        row = await fetch_one(session, "select * from effects where event_id = $1", effect_id)
        if row is None:
            raise NotFound(f"no effect {effect_id}")
        return EffectOut.model_validate(dict(row))

    @routes.patch("/{effect_id}", dependencies=[role("biller")], responses=problems(404, 412, 413, 428))
    async def edit(effect_id: UUID, body: EffectIn, expected: IfMatch, session: Tx) -> EffectOut:
        """Changes one effect; its version is always 3."""
        match(3, expected)
        await execute(session, "update effects set value = $2 where event_id = $1", effect_id, body.value)
        return await show(effect_id, session)

    return create_app(runtime, [routes, *admin_routers(HANDLERS)], "probe", "The kernel alone.")


def build_work(_: Runtime) -> Work:
    """Consumes what the probe itself says."""
    return Work(HANDLERS)


SERVICE = Service("probe", Path(__file__).parent / "probe_migrations", build_app, build_work)

if __name__ == "__main__":
    SERVICE.main()
