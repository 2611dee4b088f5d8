"""How a token is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.lib.clock import iso_micros, iso_micros_z
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.tokens.validation import Valid


def token_body(
    valid: Valid, catalog: list[dict[str, Any]] | None, service_providers: Sequence[dict[str, str]] = ()
) -> dict[str, Any]:
    """`{"token": …}`; without a catalogue when that is None, or when the token gives no scope."""
    token, standing = valid.token, valid.standing
    user = standing.user
    expires = user.password_expires_at
    shown: dict[str, Any] = {
        "methods": list(token.methods),
        "user": {
            "domain": _brief(standing.user_domain),
            "id": user.id,
            "name": user.name,
            "password_expires_at": iso_micros(expires) if expires else None,
        },
        "audit_ids": list(token.audit_ids),
        "expires_at": iso_micros_z(token.expires_at),
        "issued_at": iso_micros_z(token.issued_at),
    }
    if token.provider_id:
        shown["user"]["OS-FEDERATION"] = {
            "identity_provider": {"id": token.provider_id},
            "protocol": {"id": token.protocol_id},
            "groups": [{"id": group} for group in token.group_ids],
        }
    if token.system:
        shown["system"] = {"all": True}
    elif standing.place and token.domain_id:
        shown["domain"] = _brief(standing.place.row)
    elif standing.place:
        shown["project"] = {"domain": _brief(standing.place.domain), **_brief(standing.place.row)}
        shown["is_domain"] = standing.place.row.is_domain
    if standing.delegation:
        shown |= standing.delegation.shown
    if standing.place or token.system:
        shown["roles"] = [{"id": role.id, "name": role.name} for role in standing.roles]
        if catalog is not None:
            shown["catalog"] = catalog
    if service_providers:
        shown["service_providers"] = list(service_providers)
    return {"token": shown}


def _brief(row: ProjectRow) -> dict[str, str]:
    return {"id": row.id, "name": row.name}
