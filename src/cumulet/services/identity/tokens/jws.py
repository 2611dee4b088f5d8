"""Signed tokens: everybody can read one, and whoever has a public key can check it; nobody but us can make one.

The claims have the names of the reference service, so that what checks its tokens checks ours, and the other way round.
"""

from __future__ import annotations

import binascii
import re
from typing import Annotated

import msgspec

from cumulet.lib.clock import SECOND
from cumulet.services.identity.tokens.payload import Token, Unreadable, instant_in
from cumulet.services.identity.tokens.signing_keys import SigningKeys

ALGORITHM = "ES256"
LONGEST = 16384
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_ALL = "all"

Second = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class Group(msgspec.Struct, frozen=True):
    id: str


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a signed token says."""

    user_id: str = msgspec.field(name="sub")
    issued_at: Second = msgspec.field(name="iat")
    expires_at: Second = msgspec.field(name="exp")
    methods: tuple[str, ...] = msgspec.field(name="openstack_methods")
    audit_ids: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = msgspec.field(name="openstack_audit_ids")
    system: str | None = msgspec.field(name="openstack_system", default=None)
    domain_id: str | None = msgspec.field(name="openstack_domain_id", default=None)
    project_id: str | None = msgspec.field(name="openstack_project_id", default=None)
    trust_id: str | None = msgspec.field(name="openstack_trust_id", default=None)
    groups: tuple[Group, ...] | None = msgspec.field(name="openstack_group_ids", default=None)
    provider_id: str | None = msgspec.field(name="openstack_idp_id", default=None)
    protocol_id: str | None = msgspec.field(name="openstack_protocol_id", default=None)
    access_token_id: str | None = msgspec.field(name="openstack_access_token_id", default=None)
    application_credential_id: str | None = msgspec.field(name="openstack_app_cred_id", default=None)
    thumbprint: str | None = msgspec.field(name="openstack_thumbprint", default=None)


class JwsTokens:
    """The provider `jws`."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys

    def recognises(self, text: str) -> bool:
        return len(text) <= LONGEST and bool(_FORM.match(text))

    def seal(self, token: Token) -> str:
        from joserfc import jws

        header = {"alg": ALGORITHM, "typ": "JWT"}
        return jws.serialize_compact(
            header, msgspec.json.encode(claims_of(token)), self.keys.signer, algorithms=[ALGORITHM]
        )

    async def keep(self, text: str, token: Token) -> None:
        """The text says everything itself."""

    async def unseal(self, text: str) -> Token:
        checkers = self.keys.checkers
        if not checkers:
            raise Unreadable("signed, and we have no key to check it")

        from joserfc import jws
        from joserfc.errors import JoseError

        for key in checkers:
            try:
                said = jws.deserialize_compact(text, key, algorithms=[ALGORITHM])
            except (JoseError, ValueError, TypeError, KeyError):
                continue
            return token_of(said.payload)
        raise Unreadable("signed by nobody we know")


def claims_of(token: Token) -> Claims:
    """What is said of a token; what does not apply to it is left out."""
    return Claims(
        user_id=token.user_id,
        issued_at=token.issued_at // SECOND,
        expires_at=token.expires_at // SECOND,
        methods=token.methods,
        audit_ids=token.audit_ids,
        system=_ALL if token.system else None,
        domain_id=token.domain_id or None,
        project_id=token.project_id or None,
        trust_id=token.trust_id or None,
        groups=tuple(map(Group, token.group_ids)) if token.provider_id else None,
        provider_id=token.provider_id or None,
        protocol_id=token.protocol_id or None,
        access_token_id=token.access_token_id or None,
        application_credential_id=token.application_credential_id or None,
    )


def token_of(payload: bytes) -> Token:
    """The token that signed claims speak of. Raises Unreadable."""
    try:
        claims = msgspec.json.decode(payload, type=Claims)
        issued_at = instant_in(claims.audit_ids[0], claims.issued_at)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise Unreadable(str(error)) from error
    if claims.thumbprint:
        raise Unreadable("bound to a client's certificate, which we do not see")
    return Token(
        user_id=claims.user_id,
        methods=claims.methods,
        audit_ids=claims.audit_ids,
        expires_at=claims.expires_at * SECOND,
        issued_at=issued_at,
        project_id=claims.project_id or "",
        domain_id=claims.domain_id or "",
        system=claims.system == _ALL,
        trust_id=claims.trust_id or "",
        application_credential_id=claims.application_credential_id or "",
        access_token_id=claims.access_token_id or "",
        group_ids=tuple(group.id for group in claims.groups or ()),
        provider_id=claims.provider_id or "",
        protocol_id=claims.protocol_id or "",
    )
