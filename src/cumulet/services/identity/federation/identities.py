"""What users are called elsewhere: the `federated` attribute of a user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Field
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import ListOf, Obj, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.errors import InvalidValue
from cumulet.services.identity.federation.rows import (
    ExpiringMembershipRow,
    FederatedIdentityRow,
    IdentityProviderRow,
    ProtocolRow,
    RemoteIdRow,
)
from cumulet.services.identity.users.row import UserRow

_ID = Text(64, 1)
Federated = ListOf(
    Obj(
        Field("idp_id", _ID, create=REQUIRED),
        Field(
            "protocols",
            ListOf(
                Obj(Field("protocol_id", _ID, create=REQUIRED), Field("unique_id", Text(255, 1), create=REQUIRED)),
                least=1,
                most=100,
            ),
            create=REQUIRED,
        ),
    ),
    most=100,
)


async def write_identities(tx: Transaction, user_id: str, federated: Sequence[Mapping[str, Any]]) -> None:
    """Make these, and no others, the names of a user elsewhere. Raises Duplicate for a name that is somebody's."""
    await tx.delete(FederatedIdentityRow, user_id=user_id)
    for provider in federated:
        for protocol in provider["protocols"]:
            idp_id, protocol_id = provider["idp_id"], protocol["protocol_id"]
            if not await tx.get(ProtocolRow, idp_id=idp_id, id=protocol_id):
                raise InvalidValue(f"federated: there is no identity provider {idp_id} with a protocol {protocol_id}.")
            await tx.insert(FederatedIdentityRow(new_hex(), user_id, idp_id, protocol_id, protocol["unique_id"]))


def shown(rows: Sequence[FederatedIdentityRow]) -> str:
    """The attribute as the column of a user holds it."""
    providers: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: (row.idp_id, row.protocol_id, row.unique_id)):
        name = {"protocol_id": row.protocol_id, "unique_id": row.unique_id}
        providers.setdefault(row.idp_id, []).append(name)
    listed = [{"idp_id": idp_id, "protocols": protocols} for idp_id, protocols in providers.items()]
    return msgspec.json.encode(listed).decode()


async def forget(tx: Transaction, **of: Any) -> None:
    """Remove the names that a provider, or one of his protocols, gave to users."""
    gone = await tx.find(FederatedIdentityRow, **of)
    await tx.delete(FederatedIdentityRow, **of)
    for user_id in {row.user_id for row in gone}:
        rest = await tx.find(FederatedIdentityRow, user_id=user_id)
        await tx.update(UserRow, {"id": user_id}, federated=shown(rest))


async def remove_provider(tx: Transaction, idp_id: str) -> None:
    """Remove an identity provider with his ways of vouching and with what he told of users."""
    for owned in (ProtocolRow, RemoteIdRow, ExpiringMembershipRow):
        await tx.delete(owned, idp_id=idp_id)
    await forget(tx, idp_id=idp_id)
    await tx.delete(IdentityProviderRow, id=idp_id)


def filters() -> list[Filter]:
    """`?idp_id=…&protocol_id=…&unique_id=…` on a list of users: together they ask for one name."""
    return [Filter(name, clause=_narrowed_by(name)) for name in ("idp_id", "protocol_id", "unique_id")]


def _narrowed_by(name: str) -> Any:
    value = sa.bindparam(f"federated_{name}", type_=sa.String)
    named = sa.select(FederatedIdentityRow.c.user_id).where(FederatedIdentityRow.c[name] == value)

    def clause(values: list[Any]) -> tuple[str, Clause, Mapping[str, Any]]:
        return f"federated {name}", UserRow.c.id.in_(named), {f"federated_{name}": values[-1]}

    return clause
