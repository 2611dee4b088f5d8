"""Address groups: lists of addresses that rules may refer to."""

from __future__ import annotations

import ipaddress
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Json, LongText, Transaction, stored
from cumulet.core.errors import Conflict, NotFound
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Cidr, ListOf, Text, Wire
from cumulet.lib.numbers import whole
from cumulet.services.network import rbac
from cumulet.services.network.attributes import clean
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.facets import Facet, Passed
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.standard import UNTAGGED, Standard, json_text, standard
from cumulet.services.network.stirring import stir


class AddressGroupNotFound(NotFound):
    pass


class AddressGroupInUse(Conflict):
    pass


MOST_ADDRESSES = 1000


@stored("network_address_groups", sa.Index("network_address_groups_project", "project_id"))
class AddressGroupRow(Standard):
    """An address group."""

    addresses: Json
    shared_with: LongText


def _with_length(value: str) -> str:
    try:
        address, _, length = value.partition("/")
        return str(ipaddress.ip_network(f"{address}/{whole(length)}", strict=False))
    except ValueError as error:
        raise ValueError(f"{value[:60]!r} is not a subnet such as 10.0.0.0/24, or 10.0.0.1/32") from error


Addresses = ListOf(Text(64, 1).also(_with_length), most=MOST_ADDRESSES)

address_groups = Noun(
    "/address-groups",
    "address_group",
    "address_groups",
    AddressGroupRow,
    [
        *UNTAGGED,
        Facet(
            "address-group",
            "Address groups",
            (
                Field("addresses", Addresses, create=[], source=Passed("addresses")),
                Field(
                    "shared",
                    Bool,
                    create=OPTIONAL,
                    source=lambda row, call: rbac.shared_with(row.shared_with, call.caller.project_id),
                ),
            ),
        ),
        Facet("rbac-address-group", "Shares of address groups"),
    ],
    missing=AddressGroupNotFound,
    veiled=True,
    sees=lambda call: None if rbac.sees_all(call) else rbac.own_or_shared(AddressGroupRow, "address_group"),
)
address_groups.reads()


@address_groups.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> AddressGroupRow:
    shared = rbac.EVERYBODY if wish.get("shared") and call.may("context_is_admin") else ""
    row = AddressGroupRow(
        **standard(wish, room.clock), addresses=json_text(sorted(set(wish["addresses"]))), shared_with=shared
    )
    await tx.insert(row)
    if shared:
        await rbac.share(tx, "address_group", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
    return row


@address_groups.updating
async def update(
    room: Network, call: Call, tx: Transaction, row: AddressGroupRow, wish: dict[str, Any]
) -> AddressGroupRow:
    return await address_groups.save(room, tx, row, **wish)  # type: ignore[no-any-return]


@address_groups.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: AddressGroupRow) -> None:
    rules = await tx.find(RuleRow, remote_address_group_id=row.id)
    if rules:
        used = ", ".join(sorted(rule.id for rule in rules)[:20])
        raise AddressGroupInUse(f"Address group {row.id} is in use on one or more security group rules: {used}")
    await rbac.unshare(room, tx, row.id)


@address_groups.verb("add_addresses", "add_addresses")
async def add_addresses(
    room: Network, call: Call, tx: Transaction, row: AddressGroupRow, body: dict[str, Any]
) -> AddressGroupRow:
    has: list[str] = msgspec.json.decode(row.addresses)
    given = _given(body)
    doubled = sorted(set(has) & set(given))
    if doubled:
        raise InvalidInput(
            f"Addresses {', '.join(doubled)[:400]} already exist in the address group {row.id}.",
            type_name="AddressesAlreadyExist",
        )
    return await _set(room, tx, row, {*has, *given})


@address_groups.verb("remove_addresses", "remove_addresses")
async def remove_addresses(
    room: Network, call: Call, tx: Transaction, row: AddressGroupRow, body: dict[str, Any]
) -> AddressGroupRow:
    has: list[str] = msgspec.json.decode(row.addresses)
    given = _given(body, ListOf(Cidr, most=MOST_ADDRESSES))
    missing = sorted(set(given) - set(has))
    if missing:
        raise AddressGroupNotFound(
            f"Addresses {', '.join(missing)[:400]} not found in the address group {row.id}.",
            type_name="AddressesNotFound",
        )
    return await _set(room, tx, row, set(has) - set(given))


def _given(body: dict[str, Any], kind: Wire = Addresses) -> list[str]:
    inner = body.get("address_group", body)
    if not isinstance(inner, dict) or "addresses" not in inner:
        raise HTTPBadRequest("Failed to parse request. Required attribute 'addresses' not specified")
    found: list[str] = clean(Field("addresses", kind), inner["addresses"])
    return found


async def _set(room: Network, tx: Transaction, row: AddressGroupRow, addresses: set[str]) -> AddressGroupRow:
    if len(addresses) > MOST_ADDRESSES:
        raise InvalidInput(f"An address group holds at most {MOST_ADDRESSES} addresses.")
    changed: AddressGroupRow = await address_groups.save(room, tx, row, addresses=json_text(sorted(addresses)))
    rules = await tx.find(RuleRow, remote_address_group_id=row.id)
    await stir(tx, SecurityGroupRow, "group", {rule.group_id for rule in rules})
    return changed
