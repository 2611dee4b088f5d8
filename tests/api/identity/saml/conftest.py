"""A cloud that knows a SAML provider."""

from __future__ import annotations

from pathlib import Path

import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.federation.saml.issuing import Signer
from cumulet.services.identity.federation.settings import SamlProviderSettings
from tests.api.identity.cloud import open_cloud
from tests.api.identity.saml.meeting import (
    DASHBOARD,
    ISSUER,
    SSO,
    Meeting,
    key_pair,
)
from tests.support.clock import JumpingClock


@pytest_asyncio.fixture
async def meeting(database: Database, bus: MemoryBus, tmp_path: Path) -> Meeting:
    clock = JumpingClock()
    key, certificate = key_pair(clock.now())
    file = tmp_path / "acme.pem"
    file.write_text(certificate)
    given = SamlProviderSettings(entity_id=ISSUER, certificates=(str(file),), sso_url=SSO)
    settings = {"saml_providers": {"acme": given}, "trusted_dashboards": (DASHBOARD,), "base_url": "https://cloud.test"}
    cloud = await open_cloud(database, bus, tmp_path, clock=clock, **settings)
    return await Meeting(cloud, clock, Signer(ISSUER, key, certificate)).prepare()
