"""Access rules: which requests an application credential may make. They are made with the credential, and kept."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, ask
from cumulet.core.web.resource import Listed
from cumulet.core.web.wire import Enum, ListOf, Obj, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.delegations.rows import AccessRuleRow, ApplicationCredentialRow
from cumulet.services.identity.errors import InvalidValue, Missing, NotAllowed
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.resource import users

RULE = "identity:"

ASKED = ListOf(
    Obj(
        Field("id", Id, create=OPTIONAL),
        Field("service", Text(64, 1, r"^[a-zA-Z0-9-]+$"), create=OPTIONAL),
        Field("path", Text(225, 1, r"^/"), create=OPTIONAL),
        Field("method", Enum("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"), create=OPTIONAL),
    ),
    most=200,
)
"""In an application credential: new rules, or the ids of old ones."""


async def _of_user(room: Identity, call: Call, id_: str) -> AccessRuleRow | None:
    async with room.database.read() as tx:
        return await tx.get(AccessRuleRow, id=id_, user_id=call.path["user_id"])


access_rules = Noun(
    "/users/{user_id}/access_rules",
    "access_rule",
    "access_rules",
    AccessRuleRow,
    [Field("id", Id), Field("service", Text()), Field("path", Text()), Field("method", Text())],
    filters=[Filter("service"), Filter("path"), Filter("method")],
    target=lambda row: {"target": {"user": {"id": row.user_id}}, "user_id": row.user_id},
    missing=Missing,
    extra=False,
    load=_of_user,
    parent=users,
    links=lambda row, call: {"self": f"{call.base}/users/{row.user_id}/access_rules/{row.id}"},
)
_OWN = AccessRuleRow.c.user_id == sa.bindparam("rules_of", type_=sa.String)


@access_rules.list(RULE + "list_access_rules")
async def index(room: Identity, call: Call) -> Listed:
    question = ask(access_rules.listing, AccessRuleRow, call)
    question.where("own", _OWN, {"rules_of": call.parent.id})
    async with room.database.read() as tx:
        return Listed(*await access_rules.page(tx, call, question))


access_rules.shown(RULE + "get_access_rule")


@access_rules.delete(RULE + "delete_access_rule")
async def delete(room: Identity, call: Call, row: AccessRuleRow) -> None:
    async def write(tx: Transaction) -> None:
        for credential in await tx.find(ApplicationCredentialRow, user_id=row.user_id):
            if row.id in (msgspec.json.decode(credential.access_rule_ids) or ()):
                raise NotAllowed("May not delete access rule in use: delete the application credential first.")
        await tx.delete(AccessRuleRow, id=row.id)

    await room.change(write)


async def ensure_rules(tx: Transaction, user_id: str, asked: list[dict[str, Any]], now: int) -> list[AccessRuleRow]:
    """The rules that were asked for; those that the user does not have yet are made. Raises InvalidValue."""
    found: list[AccessRuleRow] = []
    for wish in asked:
        if wish.get("id"):
            row = await tx.get(AccessRuleRow, id=wish["id"], user_id=user_id)
            if row is None:
                raise InvalidValue(f"access_rules: there is no access rule {wish['id']} of yours.")
        else:
            where = {name: wish.get(name) for name in ("service", "method", "path")}
            if not all(where.values()):
                raise InvalidValue("access_rules: each needs service, method and path, or the id of an old one.")
            row = await tx.get(AccessRuleRow, user_id=user_id, **where)
            if row is None:
                row = AccessRuleRow(new_hex(), user_id, wish["service"], wish["method"], wish["path"], now)
                await tx.insert(row)
        found.append(row)
    return found
