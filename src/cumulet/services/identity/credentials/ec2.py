"""EC2 credentials under a user's own address: pairs of an access key and a secret for one project."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.lib.ids import new_hex
from cumulet.services.identity.credentials.resource import EC2, id_of_access, insert, opened, sealed, target
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.fields import Id
from cumulet.services.identity.projects.row import project_of
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.resource import users
from cumulet.services.identity.users.row import UserRow

RULE = "identity:"
_BODY = Body("", [Field("tenant_id", Id, create=REQUIRED)], extra=True)
_PATH = "/credentials/OS-EC2"


def _shown(room: Identity, call: Call, row: CredentialRow) -> dict[str, Any]:
    keys = msgspec.json.decode(opened(room, row))
    return {
        "user_id": row.user_id,
        "tenant_id": row.project_id,
        "access": keys["access"],
        "secret": keys["secret"],
        "trust_id": keys.get("trust_id"),
        "links": {"self": f"{call.base}/users/{row.user_id}{_PATH}/{keys['access']}"},
    }


@users.item("POST", "", suffix=_PATH, status=201, body=_BODY)
async def create(room: Identity, call: Call, user: UserRow) -> dict[str, Any]:
    call.allow(RULE + "ec2_create_credential", target(user.id))
    project_id = call.wish["tenant_id"]
    async with room.database.read() as tx:
        # Whether he has a role there is asked when the key is used.
        if await project_of(tx, project_id) is None:
            raise Missing(f"Could not find project: {project_id}.")
    facts = call.caller.facts
    access = new_hex()
    keys = {
        "access": access,
        "secret": new_hex(),
        "trust_id": facts.get("trust_id"),
        "app_cred_id": facts.get("application_credential_id"),
    }
    blob = sealed(room, msgspec.json.encode({name: value for name, value in keys.items() if value}).decode())
    row = CredentialRow(id_of_access(access), user.id, project_id, EC2, blob, "{}", room.clock.now())
    await insert(room, row)
    return {"credential": _shown(room, call, row)}


@users.item("GET", "", suffix=_PATH)
async def index(room: Identity, call: Call, user: UserRow) -> dict[str, Any]:
    call.allow(RULE + "ec2_list_credentials", target(user.id))
    async with room.database.read() as tx:
        rows = await tx.find(CredentialRow, order_by="id", user_id=user.id, type=EC2)
    url = f"{call.base}/users/{user.id}{_PATH}"
    shown = [_shown(room, call, row) for row in rows]
    return call.dialect.page("credentials", shown, url=url, query=call.request.query, marker="")


async def _keys(room: Identity, call: Call, rule: str) -> CredentialRow:
    """The keys of the path, if the rule allows it for him whose they are, under whatever address they are named."""
    async with room.database.read() as tx:
        row = await tx.get(CredentialRow, id=id_of_access(call.path["credential_id"]), type=EC2)
    if row is None:
        raise Missing(f"Could not find credential: {call.path['credential_id'][:64]}.")
    call.allow(RULE + rule, target(row.user_id))
    return row


@users.item("GET", "", suffix=f"{_PATH}/{{credential_id}}")
async def show(room: Identity, call: Call, user: UserRow) -> dict[str, Any]:
    return {"credential": _shown(room, call, await _keys(room, call, "ec2_get_credential"))}


@users.item("DELETE", "", suffix=f"{_PATH}/{{credential_id}}", status=204)
async def delete(room: Identity, call: Call, user: UserRow) -> None:
    row = await _keys(room, call, "ec2_delete_credential")
    await room.database.write(lambda tx: tx.delete(CredentialRow, id=row.id))


users_with_keys = users
"""The noun with the verbs of this file."""
