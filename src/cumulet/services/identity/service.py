"""Identity's manifest."""

from __future__ import annotations

from cumulet.core.web.dialects.identity import IdentityDialect
from cumulet.core.web.service import Service
from cumulet.services.identity.auth import tokens
from cumulet.services.identity.versions import ROOTS


def service() -> Service:
    return Service(
        type="identity",
        name="keystone",
        path="/identity",
        prefix="/v3",
        dialect=IdentityDialect(),
        resources=[],
        routes=[*tokens.ROUTES],
        roots=ROOTS,
        description="OpenStack Identity Service",
    )
