"""What a client sees and sends of a credential, and what may be done with one."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, UNREADABLE, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, ask
from cumulet.core.web.view import or_null
from cumulet.core.web.wire import Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken, NotAllowed
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"
EC2 = "ec2"
BONDS = ("trust_id", "app_cred_id")
"""Written by us alone: whoever could write them would choose whose roles the credential has."""


def target(user_id: str | None) -> dict[str, object]:
    return {"target": {"credential": {"user_id": user_id}}, "user_id": user_id}


def sealed(room: Identity, text: str) -> str:
    return room.credential_keys.fernet.encrypt(text.encode()).decode()


def opened(room: Identity, row: CredentialRow) -> str:
    return room.credential_keys.fernet.decrypt(row.blob.encode()).decode()


def id_of_access(access: str) -> str:
    """An EC2 credential is found by its access key alone."""
    return hashlib.sha256(access.encode()).hexdigest()


credentials = Noun(
    "/credentials",
    "credential",
    "credentials",
    CredentialRow,
    [
        Field("id", Id),
        Field("user_id", Id, create=OPTIONAL, update=OPTIONAL),
        Field("project_id", Id.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("project_id")),
        Field("type", Text(64, 1), create=REQUIRED, update=OPTIONAL),
        Field("blob", Text(65_535), create=REQUIRED, update=OPTIONAL),
    ],
    filters=[Filter("user_id"), Filter("type")],
    target=lambda row: target(row.user_id),
    missing=Missing,
)


def _shown(room: Identity, call: Call, row: CredentialRow) -> dict[str, Any]:
    return {**credentials.show_row(call, row), "blob": opened(room, row)}


def _checked(type_: str, blob: str, project_id: str) -> dict[str, Any] | None:
    """The contents of an EC2 credential; None for other types. Raises InvalidValue."""
    if type_ != EC2:
        return None
    if not project_id:
        raise InvalidValue("project_id: an EC2 credential is for a project.")
    try:
        keys: dict[str, Any] = msgspec.json.decode(blob, type=dict[str, Any])
    except UNREADABLE as error:
        raise InvalidValue("blob: an EC2 credential is a JSON object with access and secret.") from error
    if not isinstance(keys.get("access"), str) or not isinstance(keys.get("secret"), str):
        raise InvalidValue("blob: an EC2 credential has access and secret.")
    return keys


@credentials.create("")
async def create(room: Identity, call: Call) -> dict[str, Any]:
    wish = call.wish
    user_id = wish.get("user_id") or call.caller.user_id
    call.allow(RULE + "create_credential", target(user_id))
    blob, project_id = wish["blob"], wish.get("project_id") or ""
    keys = _checked(wish["type"], blob, project_id)
    if keys is not None:
        blob = msgspec.json.encode(_bound(call, keys)).decode()
    row = CredentialRow(
        id_of_access(keys["access"]) if keys else new_hex(),
        user_id,
        project_id,
        wish["type"],
        sealed(room, blob),
        credentials.extras(call),
        room.clock.now(),
    )
    await insert(room, row)
    return {"credential": _shown(room, call, row)}


def _bound(call: Call, keys: dict[str, Any]) -> dict[str, Any]:
    """Keys made by a delegate are bound to the delegation, and grant no more than it."""
    facts = call.caller.facts
    bonds = dict(zip(BONDS, (facts.get("trust_id"), facts.get("application_credential_id")), strict=True))
    free = {name: value for name, value in keys.items() if name not in BONDS}
    return {**free, **{name: value for name, value in bonds.items() if value}}


async def insert(room: Identity, row: CredentialRow) -> None:
    """Keep a new credential. Raises NameTaken, NotAllowed."""
    most = room.settings.credentials_per_user

    async def write(tx: Transaction) -> None:
        if await tx.count(CredentialRow, user_id=row.user_id) >= most:
            raise NotAllowed(f"Unable to create: a user has at most {most} credentials.")
        await tx.insert(row)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise NameTaken("Conflict occurred attempting to store credential - the access key is taken.") from taken


@credentials.list("")
async def index(room: Identity, call: Call) -> dict[str, Any]:
    question = ask(credentials.listing, CredentialRow, call)
    if not call.may(RULE + "get_credential", {}):
        own = call.caller.user_id
        call.allow(RULE + "list_credentials", target(own))
        question.where("own", CredentialRow.c.user_id == _OWN, {"own_credentials": own})
    async with room.database.read() as tx:
        rows, more = await credentials.page(tx, call, question)
    shown = [_shown(room, call, row) for row in rows]
    marker = rows[-1].id if more else ""
    url = f"{call.base}/credentials"
    return call.dialect.page("credentials", shown, url=url, query=call.request.query, marker=marker)


_OWN: sa.BindParameter[str] = sa.bindparam("own_credentials", type_=sa.String)


@credentials.show(RULE + "get_credential")
async def show(room: Identity, call: Call, row: CredentialRow) -> dict[str, Any]:
    return {"credential": _shown(room, call, row)}


@credentials.update(RULE + "update_credential", method="PATCH")
async def update(room: Identity, call: Call, row: CredentialRow) -> dict[str, Any]:
    wish = call.wish
    if "user_id" in wish:
        call.allow(RULE + "update_credential", target(wish["user_id"]))
    changes: dict[str, Any] = {"extra": credentials.extras(call, row)}
    changes |= {name: wish[name] or "" for name in ("user_id", "project_id", "type") if name in wish}
    blob = wish.get("blob", opened(room, row))
    keys = _checked(changes.get("type", row.type), blob, changes.get("project_id", row.project_id))
    if (row.type == EC2) != (keys is not None):
        raise NotAllowed("type: an EC2 credential stays one, and no other one becomes one. Make a new credential.")
    if keys is not None:
        before = msgspec.json.decode(opened(room, row))
        if any(before.get(bond) != keys.get(bond) for bond in BONDS):
            raise NotAllowed("The delegation that a credential is bound to cannot be changed.")
    changes["blob"] = sealed(room, blob)

    async def write(tx: Transaction) -> CredentialRow:
        await tx.update(CredentialRow, {"id": row.id}, **changes)
        changed = await tx.get(CredentialRow, id=row.id)
        if changed is None:
            raise Missing(f"Could not find credential: {row.id}.")
        return changed

    return {"credential": _shown(room, call, await room.database.write(write))}


@credentials.delete(RULE + "delete_credential")
async def delete(room: Identity, call: Call, row: CredentialRow) -> None:
    await room.database.write(lambda tx: tx.delete(CredentialRow, id=row.id))
