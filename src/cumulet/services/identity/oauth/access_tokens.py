"""What a user has lent to consumers: `/users/{id}/OS-OAUTH1/access_tokens`."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.web.body import Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import ask
from cumulet.core.web.resource import Listed
from cumulet.core.web.view import written
from cumulet.core.web.wire import AnyObject, Text
from cumulet.lib.clock import iso_micros_z
from cumulet.services.identity.credentials.ec2 import users_with_keys as users
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.oauth.rows import AccessTokenRow
from cumulet.services.identity.roles.resource import roles as role_noun
from cumulet.services.identity.roles.row import RoleRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import roles_known

RULE = "identity:"


async def _of_user(room: Identity, call: Call, id_: str) -> AccessTokenRow | None:
    async with room.database.read() as tx:
        return await tx.get(AccessTokenRow, id=id_, user_id=call.path["user_id"])


def _links(row: AccessTokenRow, call: Call) -> dict[str, str]:
    own = f"{call.base}/users/{row.user_id}/OS-OAUTH1/access_tokens/{row.id}"
    return {"self": own, "roles": f"{own}/roles"}


access_tokens = Noun(
    "/users/{user_id}/OS-OAUTH1/access_tokens",
    "access_token",
    "access_tokens",
    AccessTokenRow,
    [
        Field("id", Id),
        Field("consumer_id", Id),
        Field("project_id", Id),
        Field("authorizing_user_id", Id, source="user_id"),
        Field("expires_at", Text(), source=written("expires_at", iso_micros_z)),
        Field("roles_links", AnyObject, source=lambda row, call: {"self": _links(row, call)["roles"]}),
    ],
    target=lambda row: {"user_id": row.user_id},
    missing=Missing,
    extra=False,
    load=_of_user,
    parent=users,
    links=_links,
)
_OWN = AccessTokenRow.c.user_id == sa.bindparam("lent_by", type_=sa.String)


@access_tokens.list(RULE + "list_access_tokens")
async def index(room: Identity, call: Call) -> Listed:
    question = ask(access_tokens.listing, AccessTokenRow, call)
    question.where("own", _OWN, {"lent_by": call.parent.id})
    async with room.database.read() as tx:
        return Listed(*await access_tokens.page(tx, call, question))


access_tokens.shown(RULE + "get_access_token")


@access_tokens.delete(RULE + "delete_access_token")
async def delete(room: Identity, call: Call, row: AccessTokenRow) -> None:
    await room.change(lambda tx: tx.delete(AccessTokenRow, id=row.id))


async def _roles(room: Identity, row: AccessTokenRow) -> list[RoleRow]:
    book = await roles_known(room)
    return [book.roles[id_] for id_ in msgspec.json.decode(row.role_ids) if id_ in book.roles]


@access_tokens.item("GET", RULE + "list_access_token_roles", suffix="/roles")
async def roles_of(room: Identity, call: Call, row: AccessTokenRow) -> dict[str, Any]:
    shown = [role_noun.show_row(call, role) for role in await _roles(room, row)]
    url = _links(row, call)["roles"]
    return call.dialect.page("roles", shown, url=url, query=call.request.query, marker="")


@access_tokens.item("GET", RULE + "get_access_token_role", suffix="/roles/{role_id}")
async def role_of(room: Identity, call: Call, row: AccessTokenRow) -> dict[str, Any]:
    for role in await _roles(room, row):
        if role.id == call.path["role_id"]:
            return {"role": role_noun.show_row(call, role)}
    raise Missing(f"Could not find role: {call.path['role_id'][:64]}.")
