"""A cloud and an OpenID provider whom it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.federation.settings import OidcSettings, ProxySettings
from tests.api.identity.cloud import Client, Cloud, by_token, open_cloud
from tests.api.identity.federation.making import PROVIDERS, make_mapping, make_provider
from tests.support.clock import JumpingClock
from tests.support.openid_provider import CLIENT, ISSUER, SECRET, OpenIdWorld

AUTH = f"{PROVIDERS}/acme/protocols/openid/auth"
WEBSSO = "/auth/OS-FEDERATION/identity_providers/acme/protocols/openid/websso"
DASHBOARD = "https://dashboard.test/auth/websso/"
PROXY = {"x-federation-secret": "between us", "x-remote-user": "j", "oidc-iss": ISSUER, "oidc-sub": "17"}
RULES = [
    {
        "local": [{"user": {"id": "{0}", "name": "{1}", "email": "{2}"}}],
        "remote": [{"type": "OIDC-sub"}, {"type": "OIDC-preferred_username"}, {"type": "OIDC-email"}],
    },
    {"local": [{"groups": "{0}", "domain": {"name": "Default"}}], "remote": [{"type": "OIDC-groups"}]},
]
BY_PROXY = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "REMOTE_USER"}]}]


class Meeting:
    """A cloud, a provider whom it knows, and the group `staff`, which is a reader in the project `lab`."""

    def __init__(self, cloud: Cloud, world: OpenIdWorld) -> None:
        self.cloud, self.world = cloud, world
        self.clock: JumpingClock = cloud.room.clock  # type: ignore[assignment]

    async def prepare(self, rules: Any = RULES, **provider: Any) -> Meeting:
        admin = self.admin = await self.cloud.admin()
        self.provider = await make_provider(admin, "acme", **{"enabled": True, "remote_ids": [ISSUER]} | provider)
        await make_mapping(admin, "m", rules)
        await admin.put(f"{PROVIDERS}/acme/protocols/openid", {"protocol": {"mapping_id": "m"}}, 201)
        roles = {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
        self.group = (await admin.post("/groups", {"group": {"name": "staff"}}))["group"]["id"]
        self.project = (await admin.post("/projects", {"project": {"name": "lab"}}))["project"]["id"]
        await admin.put(f"/projects/{self.project}/groups/{self.group}/roles/{roles['reader']}")
        return self

    def token(self, **claims: Any) -> str:
        usual = {"preferred_username": "j", "email": "j@x.test", "groups": ["staff", "unknown"]}
        return self.world.sign(**usual | claims)

    async def come(self, token: str, status: int = 201) -> Any:
        response = await self.cloud.nobody()("POST", AUTH, headers={"authorization": f"Bearer {token}"})
        assert response.status_code == status, response.text
        return response

    async def enter(self, token: str = "", scope: Any = None) -> Client:
        response = await self.come(token or self.token())
        client = Client(self.cloud, response.headers["x-subject-token"], response.json()["token"])
        return await self.cloud.enter(by_token(client.token, scope)) if scope else client

    @property
    def lab(self) -> dict[str, Any]:
        return {"project": {"id": self.project}}


async def open_meeting(database: Database, bus: MemoryBus, state: Path, **settings: Any) -> Meeting:
    clock = JumpingClock()
    world = OpenIdWorld(clock)
    chosen = {
        "oidc": {"acme": OidcSettings(issuer=ISSUER, client_id=CLIENT, client_secret=SECRET)},
        "proxy": ProxySettings(secret="between us"),
        "trusted_dashboards": (DASHBOARD,),
        "base_url": "https://cloud.test",
    }
    cloud = await open_cloud(database, bus, state, clock=clock, ask=world.ask, **chosen | settings)
    return Meeting(cloud, world)
