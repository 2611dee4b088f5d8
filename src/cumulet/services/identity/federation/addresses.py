"""The addresses that others are told, below the public address of the cloud: always the same, whatever way one came."""

from __future__ import annotations

from urllib.parse import quote

from cumulet.services.identity.settings import Settings

MOUNTS = ("/identity/v3", "/v3")
"""Both lead here; the first is the one that is told."""
OF_PROVIDER = "/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso"
AUTH = "/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth"


def public(settings: Settings, path: str, **ids: str) -> list[str]:
    """The addresses of a path; the first is the one to tell."""
    filled = path.format(**{name: quote(id_, safe="") for name, id_ in ids.items()})
    return [settings.base_url.rstrip("/") + mount + filled for mount in MOUNTS]


def entity_id(settings: Settings) -> str:
    """The name of this cloud among those who speak SAML."""
    return settings.saml.entity_id or public(settings, "/OS-FEDERATION/saml2/idp")[0]
