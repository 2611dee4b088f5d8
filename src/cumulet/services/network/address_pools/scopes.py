"""The noun `address_scope`."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool
from cumulet.lib.ids import new_uuid
from cumulet.services.network import rbac
from cumulet.services.network.address_pools.errors import AddressScopeInUse, AddressScopeNotFound
from cumulet.services.network.address_pools.row import AddressScopeRow, SubnetPoolRow
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.standard import OWNED, NameText
from cumulet.services.network.wires import IpVersion

address_scopes = Noun(
    "/address-scopes",
    "address_scope",
    "address_scopes",
    AddressScopeRow,
    [
        OWNED,
        Facet(
            "address-scope",
            "Address scopes",
            (
                Field("name", NameText, create="", update=OPTIONAL),
                Field("ip_version", IpVersion, create=REQUIRED, source="version"),
                Field(
                    "shared",
                    Bool,
                    create=False,
                    update=OPTIONAL,
                    source=lambda row, call: rbac.shared_with(row.shared_with, call.caller.project_id),
                ),
            ),
        ),
        Facet("rbac-address-scope", "Shares of address scopes"),
    ],
    missing=AddressScopeNotFound,
    sees=lambda call: None if rbac.sees_all(call) else rbac.own_or_shared(AddressScopeRow, "address_scope"),
)
address_scopes.reads()


@address_scopes.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> AddressScopeRow:
    shared = rbac.EVERYBODY if wish["shared"] else ""
    row = AddressScopeRow(new_uuid(), wish["project_id"], wish["name"], wish["ip_version"], shared)
    await tx.insert(row)
    if shared:
        await rbac.share(tx, "address_scope", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
    return row


@address_scopes.updating
async def update(
    room: Network, call: Call, tx: Transaction, row: AddressScopeRow, wish: dict[str, Any]
) -> AddressScopeRow:
    changes = {"name": wish["name"]} if "name" in wish else {}
    if "shared" in wish:
        if not wish["shared"] and rbac.EVERYBODY in row.shared_with:
            raise InvalidInput(
                f"Unable to update address scope {row.id}: a shared scope cannot be unshared.",
                type_name="AddressScopeUpdateError",
            )
        if wish["shared"]:
            await rbac.share(tx, "address_scope", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
        changes["shared_with"] = await rbac.targets(tx, row.id)
    return await address_scopes.save(room, tx, row, **changes)  # type: ignore[no-any-return]


@address_scopes.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: AddressScopeRow) -> None:
    if await tx.count(SubnetPoolRow, scope_id=row.id):
        raise AddressScopeInUse(
            f"Unable to complete operation on address scope {row.id}. There are one or more subnet pools in use on the "
            f"address scope"
        )
    await rbac.unshare(room, tx, row.id)
