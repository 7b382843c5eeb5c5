"""HTTP of customers."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from billing_backlog.customers import queries, service
from billing_backlog.customers.schemas import CustomerFilter, CustomerIn, CustomerOut, CustomerPatch
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*ROLES)
WRITE = role("biller", "manager")

routes = router("/v1/customers", "customers")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_customer(
    body: OneOrMany[CustomerIn], session: Tx, context: Ctx, response: Response
) -> CustomerOut | Items[CustomerOut]:
    """Makes one customer, or an array of them: all or nothing."""
    made = [
        CustomerOut.model_validate(row) for row in await service.create_customers(session, context, by_pointer(body))
    ]
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/customers/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_customers(wanted: Annotated[CustomerFilter, Query()], session: Tx) -> Page[CustomerOut]:
    """Customers, by id."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[CustomerOut.model_validate(dict(row)) for row in rows], next=following)


@routes.get("/{customer_id}", dependencies=[READ], responses=problems(404))
async def show_customer(customer_id: UUID, session: Tx, response: Response) -> CustomerOut:
    """One customer."""
    row = await queries.get_customer(session, customer_id)
    etag(response, row.version)
    return CustomerOut.model_validate(row)


@routes.patch("/{customer_id}", dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def change_customer(
    *, customer_id: UUID, body: CustomerPatch, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> CustomerOut:
    """Edits a customer; drafts and invoices that exist keep their copy."""
    row = await service.change_customer(session, context, customer_id, expected, body)
    etag(response, row.version)
    return CustomerOut.model_validate(row)


@routes.delete("/{customer_id}", status_code=204, dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def delete_customer(customer_id: UUID, expected: IfMatch, session: Tx) -> Response:
    """Deletes a customer that no contract names."""
    await service.delete_customer(session, customer_id, expected)
    return Response(status_code=204)
