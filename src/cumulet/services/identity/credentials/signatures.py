"""Signatures made with an EC2 secret, as a service hands them to us to be checked. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cumulet.services.identity.passwords.hashing import same_text


def is_ec2_signature(secret: str, given: Mapping[str, Any]) -> bool:
    """Did this secret sign the request that is described: with version 0, 1, 2 or 4?"""
    params = {str(name): str(value) for name, value in dict(given.get("params") or {}).items()}
    headers = {str(name).lower(): str(value) for name, value in dict(given.get("headers") or {}).items()}
    signature = str(given.get("signature") or "")
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS4-HMAC-SHA256") or params.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256":
        wanted = _version_4(secret, given, params, headers)
    elif params.get("SignatureVersion") == "2":
        wanted = _version_2(secret, given, params)
    elif params.get("SignatureVersion") in ("0", "1"):
        wanted = _older(secret, params)
    else:
        return False
    return bool(wanted) and same_text(wanted, signature)


def _older(secret: str, params: Mapping[str, str]) -> str:
    if params["SignatureVersion"] == "0":
        text = params.get("Action", "") + params.get("Timestamp", "")
    else:
        text = "".join(name + params[name] for name in sorted(params, key=str.lower))
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def _version_2(secret: str, given: Mapping[str, Any], params: Mapping[str, str]) -> str:
    kind = "sha1" if params.get("SignatureMethod") == "HmacSHA1" else "sha256"
    query = "&".join(f"{quote(name, safe='-_~')}={quote(params[name], safe='-_~')}" for name in sorted(params))
    text = "\n".join((str(given.get("verb")), str(given.get("host")), str(given.get("path")), query))
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), kind)).decode()


def _version_4(secret: str, given: Mapping[str, Any], params: Mapping[str, str], headers: Mapping[str, str]) -> str:
    parts: dict[str, str] = {}
    for part in headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256").split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    credential = params.get("X-Amz-Credential") or parts.get("Credential", "")
    signed = params.get("X-Amz-SignedHeaders") or parts.get("SignedHeaders", "")
    scope = credential.split("/")[1:]
    if len(scope) != 4:
        return ""
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(params[name], safe='-_.~')}"
        for name in sorted(params)
        if name != "X-Amz-Signature"
    )
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed.split(";"))
    if str(given.get("verb")) == "POST":
        query = ""
    canonical = "\n".join(
        (str(given.get("verb")), str(given.get("path")), query, lines, signed, str(given.get("body_hash")))
    )
    instant = params.get("X-Amz-Date") or headers.get("x-amz-date", "")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", instant, "/".join(scope), digest))
    return hmac.new(_scoped_key(secret, scope), text.encode(), "sha256").hexdigest()


def _scoped_key(secret: str, scope: list[str]) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def is_s3_signature(secret: str, given: Mapping[str, Any]) -> bool:
    """Did this secret sign the text that a client of the object store signed? `token` is that text in base64."""
    try:
        text = base64.urlsafe_b64decode(str(given.get("token") or "").encode())
    except (ValueError, binascii.Error):
        return False
    lines = text.decode("utf-8", "replace").split("\n")
    if lines[0] == "AWS4-HMAC-SHA256":
        scope = lines[2].split("/") if len(lines) == 4 else []
        if len(scope) != 4:
            return False
        wanted = hmac.new(_scoped_key(secret, scope), text, "sha256").hexdigest()
    else:
        wanted = base64.b64encode(hmac.digest(secret.encode(), text, "sha1")).decode()
    return same_text(wanted, str(given.get("signature") or ""))
