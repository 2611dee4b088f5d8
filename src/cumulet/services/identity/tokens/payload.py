"""What a token says, and its packed form: the same bytes as the reference service makes, version by version."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any

import msgspec

from cumulet.lib.clock import SECOND

METHODS = ("external", "password", "token", "oauth1", "mapped", "application_credential", "totp", "saml2", "openid")
"""Each method's place is its bit in a token; new ones are only ever added at the end."""

UNSCOPED, DOMAIN, PROJECT, TRUST = 0, 1, 2, 3
FEDERATED_UNSCOPED, FEDERATED_PROJECT, FEDERATED_DOMAIN = 4, 5, 6
OAUTH, SYSTEM, APPLICATION_CREDENTIAL = 7, 8, 9
_OURS = re.compile(r"[0-9a-f]{32}\Z")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token's contents. At most one scope is set; a trust or an application credential comes with its project."""

    user_id: str
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    """Its own id and, for a token made from another one, that of the first in the chain."""
    expires_at: int
    issued_at: int = 0
    project_id: str = ""
    domain_id: str = ""
    system: bool = False
    trust_id: str = ""
    application_credential_id: str = ""
    access_token_id: str = ""
    group_ids: tuple[str, ...] = ()
    """Groups that a federated login brought with it."""
    provider_id: str = ""
    protocol_id: str = ""

    @property
    def chain_id(self) -> str:
        return self.audit_ids[-1]

    @property
    def is_delegated(self) -> bool:
        return bool(self.trust_id or self.application_credential_id or self.access_token_id)


class Unreadable(ValueError):
    """The bytes are no payload."""


def new_audit_id(now: int) -> str:
    """An unguessable id that also tells its instant.

    The envelope counts whole seconds. A token made right after its predecessors were revoked must live although it has
    the same second as they, so the exact instant is kept here.
    """
    return _audit_text(now.to_bytes(7, "big") + secrets.token_bytes(9))


def instant_in(audit_id: str, second: int) -> int:
    """The instant an audit id tells, if it agrees with the envelope's second; else that second."""
    instant = int.from_bytes(_audit_bytes(audit_id)[:7], "big")
    return instant if instant // SECOND == second else second * SECOND


def pack(token: Token) -> bytes:
    """The token as bytes."""
    user = _tagged(token.user_id)
    methods = _bits(token.methods)
    expires = token.expires_at / SECOND
    audits = [_audit_bytes(audit_id) for audit_id in token.audit_ids]
    federated = [[_tagged(group) for group in token.group_ids], _tagged(token.provider_id), token.protocol_id]
    parts: list[Any]
    if token.access_token_id:
        project, access = _tagged(token.project_id), _tagged(token.access_token_id)
        parts = [OAUTH, user, methods, project, access, expires, audits]
    elif token.application_credential_id:
        project, credential = _tagged(token.project_id), _tagged(token.application_credential_id)
        parts = [APPLICATION_CREDENTIAL, user, methods, project, expires, audits, credential]
    elif token.trust_id:
        parts = [TRUST, user, methods, _tagged(token.project_id), expires, audits, bytes.fromhex(token.trust_id)]
    elif token.project_id and token.provider_id:
        parts = [FEDERATED_PROJECT, user, methods, _tagged(token.project_id), *federated, expires, audits]
    elif token.domain_id and token.provider_id:
        parts = [FEDERATED_DOMAIN, user, methods, _tagged(token.domain_id), *federated, expires, audits]
    elif token.project_id:
        parts = [PROJECT, user, methods, _tagged(token.project_id), expires, audits]
    elif token.domain_id:
        parts = [DOMAIN, user, methods, _short(token.domain_id), expires, audits]
    elif token.system:
        parts = [SYSTEM, user, methods, "all", expires, audits]
    elif token.provider_id:
        parts = [FEDERATED_UNSCOPED, user, methods, *federated, expires, audits]
    else:
        parts = [UNSCOPED, user, methods, expires, audits]
    return msgspec.msgpack.encode(parts)


def unpack(raw: bytes, second: int) -> Token:
    """A token from its bytes and the second of its envelope. Raises Unreadable."""
    try:
        version, user, methods, *rest = msgspec.msgpack.decode(raw)
        said: dict[str, Any] = {"user_id": _plain(user), "methods": _names(methods)}
        if version == OAUTH:
            project, access, expires, audits = rest
            said |= {"project_id": _plain(project), "access_token_id": _plain(access)}
        elif version == APPLICATION_CREDENTIAL:
            project, expires, audits, credential = rest[:4]
            said |= {"project_id": _plain(project), "application_credential_id": _plain(credential)}
        elif version == TRUST:
            project, expires, audits, trust = rest[:4]
            said |= {"project_id": _plain(project), "trust_id": _id_of(trust)}
        elif version in (FEDERATED_PROJECT, FEDERATED_DOMAIN):
            scope, groups, provider, protocol, expires, audits = rest
            said["project_id" if version == FEDERATED_PROJECT else "domain_id"] = _plain(scope)
            said |= _federation(groups, provider, protocol)
        elif version == FEDERATED_UNSCOPED:
            groups, provider, protocol, expires, audits = rest
            said |= _federation(groups, provider, protocol)
        elif version == PROJECT:
            project, expires, audits = rest
            said["project_id"] = _plain(project)
        elif version == DOMAIN:
            domain, expires, audits = rest
            said["domain_id"] = _id_of(domain)
        elif version == SYSTEM:
            _, expires, audits = rest
            said["system"] = True
        elif version == UNSCOPED:
            expires, audits = rest
        else:
            raise Unreadable(f"payload version {version}")
        audit_ids = tuple(_audit_text(audit) for audit in audits)
        issued_at = instant_in(audit_ids[0], second)
        return Token(audit_ids=audit_ids, expires_at=round(expires * SECOND), issued_at=issued_at, **said)
    except (msgspec.MsgspecError, ValueError, TypeError, IndexError) as error:
        raise Unreadable(str(error)) from error


def _federation(groups: Any, provider: Any, protocol: str) -> dict[str, Any]:
    return {
        "group_ids": tuple(_plain(group) for group in groups),
        "provider_id": _plain(provider),
        "protocol_id": protocol,
    }


def _bits(methods: tuple[str, ...]) -> int:
    return sum(1 << METHODS.index(method) for method in set(methods))


def _names(bits: int) -> tuple[str, ...]:
    return tuple(method for place, method in enumerate(METHODS) if bits >> place & 1)


def _short(id_: str) -> bytes | str:
    """16 bytes for the ids that we make; others, such as `default`, as they are."""
    return bytes.fromhex(id_) if _OURS.match(id_) else id_


def _id_of(packed: bytes | str) -> str:
    return packed.hex() if isinstance(packed, bytes) else packed


def _tagged(id_: str) -> list[Any]:
    """With a word whether it was shortened."""
    packed = _short(id_)
    return [isinstance(packed, bytes), packed]


def _plain(tagged: Any) -> str:
    shortened, packed = tagged
    if shortened:
        return bytes(packed).hex()
    return packed.decode() if isinstance(packed, bytes) else str(packed)


def _audit_bytes(audit_id: str) -> bytes:
    return base64.urlsafe_b64decode(audit_id + "==")


def _audit_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
