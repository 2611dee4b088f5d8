"""Making those who vouch for people, and the rules that make users of them."""

from __future__ import annotations

from typing import Any

from tests.api.identity.cloud import Client

PROVIDERS, MAPPINGS, CLOUDS = (
    f"/OS-FEDERATION/{noun}" for noun in ("identity_providers", "mappings", "service_providers")
)
NAMED = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "UserName"}]}]


async def make_provider(admin: Client, id_: str, status: int = 201, **given: Any) -> dict[str, Any]:
    made = await admin.put(f"{PROVIDERS}/{id_}", {"identity_provider": given}, status)
    provider: dict[str, Any] = made.get("identity_provider", {})
    return provider


async def make_mapping(admin: Client, id_: str, rules: Any = NAMED, status: int = 201, **given: Any) -> dict[str, Any]:
    made = await admin.put(f"{MAPPINGS}/{id_}", {"mapping": {"rules": rules, **given}}, status)
    mapping: dict[str, Any] = made.get("mapping", made)
    return mapping
