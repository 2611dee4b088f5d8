"""Application credentials: secrets for programs, with some of their user's roles in one project."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, ask
from cumulet.core.web.view import or_null, written
from cumulet.core.web.wire import ListOf, Obj, StrictBool, Text
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_hex
from cumulet.services.identity.delegations.access_rules import ASKED, ensure_rules
from cumulet.services.identity.delegations.instants import future_instant
from cumulet.services.identity.delegations.rows import AccessRuleRow, ApplicationCredentialRow
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken, NotAllowed
from cumulet.services.identity.fields import AnyName, Description, Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.roles.row import RoleBook
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import roles_known
from cumulet.services.identity.users.resource import users

RULE = "identity:"
NamedRoles = ListOf(Obj(Field("id", Id, create=OPTIONAL), Field("name", AnyName, create=OPTIONAL)), most=200)


def _target(row: ApplicationCredentialRow) -> dict[str, object]:
    return {"target": {"user": {"id": row.user_id}}, "user_id": row.user_id}


async def _of_user(room: Identity, call: Call, id_: str) -> ApplicationCredentialRow | None:
    """A credential of the user in the path. Somebody else's under that address is refused as anywhere."""
    async with room.database.read() as tx:
        row = await tx.get(ApplicationCredentialRow, id=id_)
    if row is None or row.user_id == call.path["user_id"]:
        return row
    call.allow(RULE + "get_application_credential", _target(row))
    return None


credentials = Noun(
    "/users/{user_id}/application_credentials",
    "application_credential",
    "application_credentials",
    ApplicationCredentialRow,
    [
        Field("id", Id, create=OPTIONAL),
        Field("name", AnyName, create=REQUIRED),
        Field("description", Description.or_null(), create=OPTIONAL, source=or_null("description")),
        Field("secret", Text(4096).or_null(), create=OPTIONAL, source=HIDDEN),
        Field("roles", NamedRoles, create=OPTIONAL, source=HIDDEN),
        Field("access_rules", ASKED, create=OPTIONAL, source=HIDDEN),
        Field("unrestricted", StrictBool.or_null(), create=OPTIONAL),
        Field("expires_at", Text(64).or_null(), create=OPTIONAL, source=written("expires_at", iso_micros)),
        Field("project_id", Id, create=OPTIONAL),
        Field("user_id", Id),
        Field("system", Text(64).or_null(), create=OPTIONAL, source=lambda row, call: None),
    ],
    filters=[Filter("name")],
    target=_target,
    missing=Missing,
    extra=False,
    load=_of_user,
    parent=users,
    links=lambda row, call: {"self": f"{call.base}/users/{row.user_id}/application_credentials/{row.id}"},
)
_OWN = ApplicationCredentialRow.c.user_id == sa.bindparam("credentials_of", type_=sa.String)


def check_unrestricted(call: Call, deed: str) -> None:
    """A restricted application credential hands on nothing. Raises NotAllowed."""
    if call.caller.facts.get("restricted"):
        raise NotAllowed(f"A restricted application credential may not {deed}.")


@credentials.create(RULE + "create_application_credential")
async def create(room: Identity, call: Call) -> dict[str, Any]:
    wish, caller = call.wish, call.caller
    check_unrestricted(call, "make application credentials")
    if caller.facts.get("trust_id"):
        raise NotAllowed("A trust may not make application credentials.")
    if not caller.project_id:
        raise InvalidValue("An application credential is for a project: use a token with a project as its scope.")
    book = await roles_known(room)
    secret = wish.get("secret") or secrets.token_urlsafe(64)
    row = ApplicationCredentialRow(
        id=new_hex(),
        user_id=caller.user_id,
        project_id=caller.project_id,
        name=wish["name"],
        description=wish.get("description") or "",
        secret=await room.hasher.hash(secret),
        role_ids=msgspec.json.encode(_roles(book, wish.get("roles"), caller.roles)).decode(),
        access_rule_ids="null",
        unrestricted=bool(wish.get("unrestricted")),
        expires_at=future_instant("expires_at", wish.get("expires_at"), room.clock.now()),
        created_at=room.clock.now(),
    )

    async def write(tx: Transaction) -> list[AccessRuleRow]:
        if await tx.count(ApplicationCredentialRow, user_id=row.user_id) >= most:
            raise NotAllowed(f"Unable to create: a user has at most {most} application credentials.")
        rules = await ensure_rules(tx, row.user_id, wish.get("access_rules") or [], row.created_at)
        if "access_rules" in wish:
            row.access_rule_ids = msgspec.json.encode([rule.id for rule in rules]).decode()
        await tx.insert(row)
        return rules

    most = room.settings.application_credentials_per_user
    try:
        rules = await room.database.write(write)
    except Duplicate as taken:
        raise NameTaken(
            "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
            f"{row.name}."
        ) from taken
    shown = _shown(call, row, book, {rule.id: rule for rule in rules})
    return {"application_credential": {**shown, "secret": secret}}


def _roles(book: RoleBook, asked: list[dict[str, Any]] | None, held: tuple[str, ...]) -> list[str]:
    """The ids of the roles to lend: those that were asked for, or all that the caller has. Raises InvalidValue."""
    own = {role.name: role.id for role in book.roles.values() if not role.domain_id and role.name in held}
    if not asked:
        return sorted(own.values())
    chosen = []
    for words in asked:
        id_ = words.get("id") or own.get(words.get("name") or "")
        if id_ not in own.values():
            raise InvalidValue(f"roles: you do not have the role {words.get('id') or words.get('name')} here.")
        chosen.append(str(id_))
    return chosen


def _shown(
    call: Call, row: ApplicationCredentialRow, book: RoleBook, rules: dict[str, AccessRuleRow]
) -> dict[str, Any]:
    shown = credentials.show_row(call, row)
    roles = [book.roles[id_] for id_ in msgspec.json.decode(row.role_ids) if id_ in book.roles]
    shown["roles"] = [{"id": role.id, "name": role.name, "domain_id": role.domain_id or None} for role in roles]
    rule_ids = msgspec.json.decode(row.access_rule_ids)
    if rule_ids is not None:
        chosen = [rules[id_] for id_ in rule_ids if id_ in rules]
        shown["access_rules"] = [
            {"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method} for rule in chosen
        ]
    return shown


async def _rules_of(tx: Transaction, user_id: str) -> dict[str, AccessRuleRow]:
    return {rule.id: rule for rule in await tx.find(AccessRuleRow, user_id=user_id)}


@credentials.list(RULE + "list_application_credentials")
async def index(room: Identity, call: Call) -> dict[str, Any]:
    question = ask(credentials.listing, ApplicationCredentialRow, call)
    question.where("own", _OWN, {"credentials_of": call.parent.id})
    book = await roles_known(room)
    async with room.database.read() as tx:
        rows, more = await credentials.page(tx, call, question)
        rules = await _rules_of(tx, call.parent.id)
    url = f"{call.base}/users/{call.parent.id}/application_credentials"
    marker = rows[-1].id if more else ""
    shown = [_shown(call, row, book, rules) for row in rows]
    return call.dialect.page("application_credentials", shown, url=url, query=call.request.query, marker=marker)


@credentials.show(RULE + "get_application_credential")
async def show(room: Identity, call: Call, row: ApplicationCredentialRow) -> dict[str, Any]:
    async with room.database.read() as tx:
        rules = await _rules_of(tx, row.user_id)
    return {"application_credential": _shown(call, row, await roles_known(room), rules)}


@credentials.delete(RULE + "delete_application_credential")
async def delete(room: Identity, call: Call, row: ApplicationCredentialRow) -> None:
    check_unrestricted(call, "delete application credentials")
    await room.change(lambda tx: tx.delete(ApplicationCredentialRow, id=row.id))
