"""Addresses of the reference service that only tell they are retired: tokens are no longer signed with certificates."""

from __future__ import annotations

from cumulet.core.errors import Gone
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.room import Identity

SENTENCE = "This API is no longer available due to the removal of support for PKI tokens."


async def gone(room: Identity, call: Call) -> None:
    raise Gone(SENTENCE)


async def revoked(room: Identity, call: Call) -> None:
    call.allow("identity:revocation_list", {})
    raise Gone(SENTENCE)


ROUTES = (
    Endpoint("GET", "/OS-SIMPLE-CERT/ca", gone, 410, open=True, name="simple_cert_ca"),
    Endpoint("GET", "/OS-SIMPLE-CERT/certificates", gone, 410, open=True, name="simple_cert_certificates"),
    Endpoint("GET", "/auth/tokens/OS-PKI/revoked", revoked, 410, name="revocation_list"),
)
