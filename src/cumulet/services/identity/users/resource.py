"""What a client sees and sends of a user."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, ask
from cumulet.core.web.resource import Endpoint, Listed
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import Bool, Text
from cumulet.lib.clock import iso_micros
from cumulet.services.identity.directories.looking import look_at_user, look_at_users
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.federation.identities import Federated, filters
from cumulet.services.identity.fields import AnyName, Id, UserOptions
from cumulet.services.identity.noun import (
    Noun,
    boolean,
    domain_target,
    exact,
    given_options,
    known,
    of_domain,
    token_domain,
)
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users import operations
from cumulet.services.identity.users.expiry import expiry_filter
from cumulet.services.identity.users.row import UserRow

RULE = "identity:"


def target(row: UserRow) -> dict[str, object]:
    about = {"id": row.id, "domain_id": row.domain_id, "name": row.name}
    return {"target": {"user": about}, "user_id": row.id}


async def _current(room: Identity, call: Call, id_: str) -> UserRow | None:
    """A user as he is now, wherever he is kept."""
    await look_at_user(room, id_)
    async with room.database.read() as tx:
        return await tx.get(UserRow, id=id_)


def _federated(row: UserRow, call: Call) -> msgspec.Raw | None:
    return msgspec.Raw(row.federated.encode()) if row.federated != "[]" else None


users = Noun(
    "/users",
    "user",
    "users",
    UserRow,
    [
        Field("id", Id),
        Field("domain_id", Id, create=OPTIONAL, update=OPTIONAL),
        Field("name", AnyName, create=REQUIRED, update=OPTIONAL),
        Field("enabled", Bool, create=True, update=OPTIONAL),
        Field(
            "default_project_id",
            Text(64).or_null(),
            create=OPTIONAL,
            update=OPTIONAL,
            source=or_null("default_project_id"),
        ),
        Field("password", Text(4096).or_null(), create=OPTIONAL, update=OPTIONAL, source=HIDDEN),
        Field("options", UserOptions, create=OPTIONAL, update=OPTIONAL, source=raw("options")),
        Field("federated", Federated, create=OPTIONAL, update=OPTIONAL, source=_federated),
        Field("password_expires_at", Text(), source=written("password_expires_at", iso_micros)),
    ],
    filters=[
        *exact(UserRow, "name"),
        boolean("enabled"),
        Filter("domain_id"),
        Filter("default_project_id"),
        expiry_filter("password_expires_at"),
        *filters(),
    ],
    target=target,
    missing=Missing,
    load=_current,
    absent=("default_project_id", "federated"),
)


@users.create("")
async def create(room: Identity, call: Call) -> UserRow:
    wish = call.wish
    # Who may do this in his own domain only is to name it.
    call.allow(RULE + "create_user", {"target": {"user": known(domain_id=wish.get("domain_id"))}})
    domain_id = wish.get("domain_id") or token_domain(call)
    return await operations.create(room, wish, domain_id, users.extras(call), given_options(None, wish))


@users.list("")
async def index(room: Identity, call: Call) -> Listed:
    call.allow(RULE + "list_users", domain_target(call))
    question = ask(users.listing, UserRow, call)
    of_domain(call, question, UserRow)
    one = call.request.one
    if not one("marker"):  # later pages go on with what the first one found
        await look_at_users(room, call.caller.domain_id or one("domain_id"), one("name"))
    async with room.database.read() as tx:
        return Listed(*await users.page(tx, call, question))


users.shown(RULE + "get_user")


@users.update(RULE + "update_user", method="PATCH")
async def update(room: Identity, call: Call, row: UserRow) -> UserRow:
    return await operations.update(room, row, call.wish, users.extras(call, row), given_options(row, call.wish))


@users.delete(RULE + "delete_user")
async def delete(room: Identity, call: Call, row: UserRow) -> None:
    await operations.delete(room, row)


PASSWORD = Body(
    "user",
    [
        Field("password", Text(4096, 1), create=REQUIRED),
        Field("original_password", Text(4096), create=REQUIRED),
    ],
    extra=True,
)


@users.item("DELETE", RULE + "revoke_tokens_for_user", suffix="/tokens", status=204)
async def revoke_tokens(room: Identity, call: Call, row: UserRow) -> None:
    await room.change(lambda tx: room.revoke(tx, "user_id", row.id))


async def change_password(room: Identity, call: Call) -> Any:
    """Open to nobody in particular: the old password proves who it is, even when it has expired."""
    wish = call.wish
    await operations.change_password(room, call.path["user_id"], wish["original_password"], wish["password"])


ROUTES = (
    Endpoint("POST", "/users/{user_id}/password", change_password, 204, body=PASSWORD, open=True, name="password"),
)
