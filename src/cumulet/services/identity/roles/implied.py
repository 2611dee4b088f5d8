"""Which roles imply which: `/roles/{prior}/implies/{implied}` and `/role_inferences`."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.errors import NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.errors import Missing, NotAllowed
from cumulet.services.identity.roles.row import ImpliedRoleRow, RoleBook, RoleRow, read_book
from cumulet.services.identity.room import Identity

RULE = "identity:"
ROOT = "admin"
"""Whoever had a role that implies this one would own the cloud."""


def brief(call: Call, role: RoleRow) -> dict[str, Any]:
    return {"id": role.id, "name": role.name, "links": {"self": f"{call.base}/roles/{role.id}"}}


async def _book(room: Identity) -> RoleBook:
    async with room.database.read() as tx:
        return await read_book(tx)


def _role(book: RoleBook, id_: str) -> RoleRow:
    if id_ not in book.roles:
        raise Missing(f"Could not find role: {id_[:64]}.")
    return book.roles[id_]


def _pair(book: RoleBook, call: Call) -> tuple[RoleRow, RoleRow]:
    return _role(book, call.path["prior_role_id"]), _role(book, call.path["implied_role_id"])


def _inference(call: Call, book: RoleBook, prior: RoleRow) -> dict[str, Any]:
    implied = sorted(book.implies.get(prior.id, ()))
    return {"prior_role": brief(call, prior), "implies": [brief(call, book.roles[id_]) for id_ in implied]}


async def index(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list_implied_roles", {})
    book = await _book(room)
    prior = _role(book, call.path["prior_role_id"])
    links = {"self": f"{call.base}/roles/{prior.id}/implies"}
    return {"role_inference": _inference(call, book, prior), "links": links}


async def show(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_implied_role", {})
    return _shown(call, *await _existing(room, call))


async def check(room: Identity, call: Call) -> Response:
    call.allow(RULE + "check_implied_role", {})
    await _existing(room, call)
    return Response(204)


async def _existing(room: Identity, call: Call) -> tuple[RoleRow, RoleRow]:
    book = await _book(room)
    prior, implied = _pair(book, call)
    if implied.id not in book.implies.get(prior.id, ()):
        raise NotFound(f"The role {prior.id} does not imply {implied.id}.")
    return prior, implied


def _shown(call: Call, prior: RoleRow, implied: RoleRow) -> dict[str, Any]:
    links = {"self": f"{call.base}/roles/{prior.id}/implies/{implied.id}"}
    return {"role_inference": {"prior_role": brief(call, prior), "implies": brief(call, implied)}, "links": links}


async def create(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "create_implied_role", {})

    async def write(tx: Transaction) -> tuple[RoleRow, RoleRow]:
        book = await read_book(tx)
        prior, implied = _pair(book, call)
        if implied.name == ROOT and not implied.domain_id:
            raise NotAllowed(f"{ROOT} may not be implied by another role.")
        if prior.id in book.closure({implied.id}):
            raise NotAllowed("A role cannot imply itself, nor a role that implies it.")
        if not prior.domain_id and implied.domain_id:
            raise NotAllowed("A global role cannot imply a role of one domain.")
        if implied.id not in book.implies.get(prior.id, ()):
            await tx.insert(ImpliedRoleRow(prior.id, implied.id))
        return prior, implied

    return _shown(call, *await room.change(write))


async def delete(room: Identity, call: Call) -> None:
    call.allow(RULE + "delete_implied_role", {})

    async def write(tx: Transaction) -> None:
        prior, implied = _pair(await read_book(tx), call)
        if not await tx.delete(ImpliedRoleRow, prior_id=prior.id, implied_id=implied.id):
            raise NotFound(f"The role {prior.id} does not imply {implied.id}.")

    await room.change(write)


async def inferences(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list_role_inference_rules", {})
    book = await _book(room)
    shown = [_inference(call, book, book.roles[id_]) for id_ in sorted(book.implies)]
    return {"role_inferences": shown, "links": {"self": f"{call.base}/role_inferences"}}


_PAIR = "/roles/{prior_role_id}/implies/{implied_role_id}"
ROUTES = (
    Endpoint("GET", "/roles/{prior_role_id}/implies", index, name="list_implied_roles"),
    Endpoint("GET", _PAIR, show, name="get_implied_role"),
    Endpoint("HEAD", _PAIR, check, 204, name="check_implied_role"),
    Endpoint("PUT", _PAIR, create, 201, name="create_implied_role"),
    Endpoint("DELETE", _PAIR, delete, 204, name="delete_implied_role"),
    Endpoint("GET", "/role_inferences", inferences, name="list_role_inference_rules"),
)
