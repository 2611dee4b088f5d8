"""The page by which a browser carries a token to a dashboard: a form that posts itself."""

from __future__ import annotations

import secrets
from html import escape
from urllib.parse import urlsplit

from cumulet.core.web.request import Response


def page(address: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    """A form with these fields for this address, which must be one that the operator trusts."""
    nonce = secrets.token_urlsafe(16)
    parts = urlsplit(address)
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Logging in</title></head><body>'
        f'<form id="sso" name="sso" action="{escape(address)}" method="post">{inputs}'
        '<noscript><button type="submit">Continue</button></noscript></form>'
        f'<script nonce="{nonce}">document.getElementById("sso").submit()</script></body></html>'
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; form-action {parts.scheme}://{parts.netloc}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return Response(
        200,
        text.encode(),
        {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            **(headers or {}),
        },
    )
