"""Providers for the stories."""

from __future__ import annotations

from typing import Any

from tests.support.client import Client

OWNER = {"project_id": "d" * 32, "user_id": "member-id"}


async def provider(placement: Client, name: str, offers: dict[str, int] | None = None, **options: Any) -> str:
    """A provider's id. `offers`: how much of what; options: parent, traits, aggregates."""
    at = placement.at("1.39")
    made = await at.post(
        "/resource_providers", {"name": name, "parent_provider_uuid": options.get("parent")}, status=200
    )
    path, generation = f"/resource_providers/{made['uuid']}", 0
    for what, value in (
        ("inventories", {name: {"total": total} for name, total in (offers or {}).items()}),
        ("traits", options.get("traits")),
        ("aggregates", options.get("aggregates")),
    ):
        if value:
            shown = await at.put(f"{path}/{what}", {"resource_provider_generation": generation, what: value})
            generation = shown["resource_provider_generation"]
    return str(made["uuid"])


def wish(holdings: dict[str, dict[str, int]], generation: int | None = None, **more: Any) -> dict[str, Any]:
    """A body that lets a consumer hold these."""
    allocations = {id_: {"resources": units} for id_, units in holdings.items()}
    return {
        "allocations": allocations,
        "consumer_generation": generation,
        "consumer_type": "INSTANCE",
        **OWNER,
        **more,
    }
