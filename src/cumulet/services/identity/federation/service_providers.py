"""Service providers: other clouds that let the users of this one in."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.wire import Bool, Text
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken
from cumulet.services.identity.federation.naming import chosen_id
from cumulet.services.identity.federation.rows import ServiceProviderRow
from cumulet.services.identity.fields import Description, Id
from cumulet.services.identity.noun import Noun, boolean
from cumulet.services.identity.room import Identity

RULE = "identity:"
_ADDRESS = Text(225, 1, r"^[a-zA-Z0-9+.-]+:.+")

service_providers = Noun(
    "/OS-FEDERATION/service_providers",
    "service_provider",
    "service_providers",
    ServiceProviderRow,
    [
        Field("id", Id),
        Field("auth_url", _ADDRESS, create=REQUIRED, update=OPTIONAL),
        Field("sp_url", _ADDRESS, create=REQUIRED, update=OPTIONAL),
        Field("enabled", Bool.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("relay_state_prefix", Text(255).or_null(), create=OPTIONAL, update=OPTIONAL),
    ],
    filters=[Filter("id"), boolean("enabled")],
    target=lambda row: {"target": {"service_provider": {"id": row.id}}},
    missing=Missing,
    extra=False,
)


@service_providers.collection(
    "PUT",
    RULE + "create_service_provider",
    suffix="/{service_provider_id}",
    status=201,
    body=service_providers.body("create"),
)
async def create(room: Identity, call: Call) -> ServiceProviderRow:
    wish = call.wish
    prefix = wish.get("relay_state_prefix")
    row = ServiceProviderRow(
        chosen_id(call.path["service_provider_id"]),
        wish["auth_url"],
        wish["sp_url"],
        bool(wish.get("enabled")),
        wish.get("description") or "",
        room.settings.relay_state_prefix if prefix is None else prefix,
        room.clock.now(),
    )
    try:
        await room.change(lambda tx: tx.insert(row))
    except Duplicate as taken:
        raise NameTaken(f"There is a service provider {row.id} already.") from taken
    return row


service_providers.listed(RULE + "list_service_providers")
service_providers.shown(RULE + "get_service_provider")


@service_providers.update(RULE + "update_service_provider", method="PATCH")
async def update(room: Identity, call: Call, row: ServiceProviderRow) -> ServiceProviderRow:
    wish = call.wish
    if not wish:
        raise InvalidValue("service_provider: name at least one attribute to change.")
    changes: dict[str, Any] = {name: value for name, value in wish.items() if value is not None}
    if "enabled" in wish:
        changes["enabled"] = bool(wish["enabled"])
    if "description" in wish:
        changes["description"] = wish["description"] or ""
    if "relay_state_prefix" in wish and wish["relay_state_prefix"] is None:
        changes["relay_state_prefix"] = room.settings.relay_state_prefix

    return await room.change(lambda tx: service_providers.changed(tx, row, changes))


@service_providers.delete(RULE + "delete_service_provider")
async def delete(room: Identity, call: Call, row: ServiceProviderRow) -> None:
    await room.change(lambda tx: tx.delete(ServiceProviderRow, id=row.id))


async def in_tokens(room: Identity) -> list[dict[str, str]]:
    """The service providers that a token tells its owner of: those that are enabled."""

    async def read() -> list[dict[str, str]]:
        async with room.database.read() as tx:
            rows = await tx.find(ServiceProviderRow, order_by="id", enabled=True)
        return [{"id": row.id, "auth_url": row.auth_url, "sp_url": row.sp_url} for row in rows]

    return await room.kept.get("service_providers", read)
