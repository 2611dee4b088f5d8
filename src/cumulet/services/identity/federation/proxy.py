"""Attributes from the headers of a proxy that authenticates people itself, as web servers in front of a cloud do."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from cumulet.services.identity.federation.mapping import REMOTE_USER, values_of
from cumulet.services.identity.federation.settings import ProxySettings

SECRET = "x-federation-secret"  # noqa: S105 - the name of a header


def attributes_in(headers: Mapping[str, str], settings: ProxySettings) -> dict[str, list[str]] | None:
    """Each header as `HTTP_NAME`; None: the request does not come by the operator's proxy.

    Names with an underscore are left out: a proxy that removes what a client sends under its own names, with hyphens,
    would let them pass, and both would become the same attribute.
    """
    if not settings.secret:
        return None
    given = headers.get(SECRET, "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), settings.secret.encode()):
        return None
    told = {name: text for name, text in headers.items() if "_" not in name and name != SECRET}
    found = values_of(("HTTP_" + name.upper().replace("-", "_"), text) for name, text in told.items() if text)
    user = told.get(settings.remote_user_header.lower(), "")
    if user:
        found[REMOTE_USER] = [user]
    return found
