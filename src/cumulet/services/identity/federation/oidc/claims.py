"""Claims as attributes, under the names that mappings know from web servers that verify them in front of a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.services.identity.federation.mapping import REMOTE_USER

ISSUER = "HTTP_OIDC_ISS"


def attributes_of(claims: Mapping[str, Any], issuer: str) -> dict[str, list[str]]:
    """Each claim as `OIDC-name`, `OIDC_CLAIM_name` and `HTTP_OIDC_NAME`. A text is one value, whatever stands in it."""
    found: dict[str, list[str]] = {}
    # Of names that differ in upper and lower case only, the one in lower case is the standard's.
    for name in sorted(claims, key=lambda name: (name != name.lower(), name)):
        values = _values(claims[name])
        if values:
            found[f"OIDC-{name}"] = found[f"OIDC_CLAIM_{name}"] = values
            found.setdefault("HTTP_OIDC_" + name.upper().replace("-", "_"), values)
    found["OIDC-iss"] = found["OIDC_CLAIM_iss"] = found[ISSUER] = [issuer]
    subject = found.get("OIDC-sub")
    if subject:
        found[REMOTE_USER] = subject
    return found


def _values(claim: Any) -> list[str]:
    if isinstance(claim, list):
        return [text for part in claim for text in _values(part)]
    if isinstance(claim, str):
        return [claim] if claim else []
    if claim is None:
        return []
    return [msgspec.json.encode(claim).decode()]
