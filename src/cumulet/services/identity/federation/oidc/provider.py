"""A provider as he is spoken with: where he is found, what he signs, and whether a token is his and meant for us."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from cumulet.core.web.body import UNREADABLE
from cumulet.lib.clock import SECOND, Clock
from cumulet.services.identity.federation.oidc.outside import Answer, Ask, Question, Unreachable
from cumulet.services.identity.federation.settings import OidcSettings

Claims = dict[str, Any]
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a key that only the provider has; never those that a client could make himself."""
LEEWAY = 60
"""Seconds by which clocks may differ."""
KEPT, AT_MOST_EVERY = 3600 * SECOND, 60 * SECOND
"""How long keys and addresses are believed; and how often, at most, they are asked for because of an unknown key."""
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
LONGEST_TOKEN = 16_384
ANYBODY = "*"
"""Among the audiences: tokens made for any client of the provider are taken."""


class Untrusted(Exception):
    """What somebody brought proves nothing; the text says why, for our log."""


class OpenIdProvider:
    """One provider. What he publishes is remembered for an hour."""

    def __init__(self, settings: OidcSettings, ask: Ask, clock: Clock) -> None:
        self.settings = settings
        self._ask = ask
        self._clock = clock
        self._document: tuple[int, dict[str, Any]] = (0, {})
        self._keys: tuple[int, Any] = (0, None)

    # ---- what he publishes ---------------------------------------------------------------------------------------

    async def endpoint(self, name: str) -> str:
        """One of his addresses: as the operator set it, else as he publishes it; empty: he has none."""
        given: str = getattr(self.settings, name)
        if given:
            return given
        read_at, document = self._document
        if not document or self._clock.now() - read_at > KEPT:
            url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            document = await self._json(Question(url, headers={"Accept": "application/json"}))
            if document.get("issuer") != self.settings.issuer:
                raise Unreachable(f"{url}: the document speaks of the issuer {document.get('issuer')!r:.100}")
            self._document = (self._clock.now(), document)
        found = document.get(name, "")
        return found if isinstance(found, str) else ""

    async def _key_set(self, *, again: bool = False) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        read_at, keys = self._keys
        age = self._clock.now() - read_at
        if keys is None or age > KEPT or (again and age > AT_MOST_EVERY):
            url = await self.endpoint("jwks_uri")
            if not url:
                raise Unreachable(f"{self.settings.issuer}: the provider publishes no keys")
            document = await self._json(Question(url, headers={"Accept": "application/json"}))
            try:
                keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise Unreachable(f"{url}: these are no keys: {error}") from error
            self._keys = (self._clock.now(), keys)
        return keys

    async def _json(self, question: Question) -> dict[str, Any]:
        return _document(question, await self._asked(question), 200)

    async def _asked(self, question: Question) -> Answer:
        return await self._ask(replace(question, ca_file=self.settings.ca_file))

    # ---- what somebody brings --------------------------------------------------------------------------------------

    async def bearer(self, token: str) -> Claims:
        """What the provider says of the owner of a token. Raises Untrusted."""
        if not token or len(token) > LONGEST_TOKEN:
            raise Untrusted("there is no token, or it is too long")
        audiences = self.settings.audiences or (self.settings.client_id,)
        if token.count(".") == 2 and await self.endpoint("jwks_uri"):
            return await self.verified(token, audiences)
        return await self._introspected(token, audiences)

    async def verified(self, token: str, audiences: Sequence[str], nonce: str = "") -> Claims:
        """The claims of a signed token that is meant for one of these. Raises Untrusted."""
        from joserfc.errors import JoseError
        from joserfc.jwt import JWTClaimsRegistry

        claims = await self._signed(token)
        asked: dict[str, Any] = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "exp": {"essential": True},
        }
        if ANYBODY not in audiences:
            asked["aud"] = {"essential": True, "values": list(audiences)}
        if nonce:
            asked["nonce"] = {"essential": True, "value": nonce}
        try:
            JWTClaimsRegistry(now=self._clock.now() // SECOND, leeway=LEEWAY, **asked).validate(claims)
        except (JoseError, TypeError, ValueError) as error:
            raise Untrusted(f"a signed token does not count here: {error}") from error
        if nonce and claims.get("azp", self.settings.client_id) != self.settings.client_id:
            raise Untrusted("a signed token was made for another client")
        return claims

    async def _signed(self, token: str) -> Claims:
        from joserfc import jwt
        from joserfc.errors import JoseError

        def opened(keys: Any) -> Claims:
            return dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)

        keys = await self._key_set()
        try:
            return opened(keys)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            newer = await self._key_set(again=True)  # perhaps he signs with a newer one than we know
            if newer is keys:
                raise Untrusted(f"a token is not signed by {self.settings.issuer}: {error}") from error
        try:
            return opened(newer)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Untrusted(f"a token is not signed by {self.settings.issuer}: {error}") from error

    async def _introspected(self, token: str, audiences: Sequence[str]) -> Claims:
        """What the provider answers when he is asked about a token that says nothing by itself."""
        url = await self.endpoint("introspection_endpoint")
        if not url:
            raise Untrusted("the provider cannot be asked about tokens that are not signed")
        form = {"token": token, "token_type_hint": "access_token"}
        claims = await self._json(self._as_client(url, form))
        if claims.get("active") is not True:
            raise Untrusted("the provider does not know this token, or it has ended")
        if claims.get("iss", self.settings.issuer) != self.settings.issuer:
            raise Untrusted("the token is another provider's")
        meant = {claims.get("client_id"), claims.get("azp"), *_texts(claims.get("aud"))}
        if ANYBODY not in audiences and not meant & set(audiences):
            raise Untrusted("the token was made for another client")
        return await self._with_userinfo(claims, token)

    async def _with_userinfo(self, claims: Claims, token: str) -> Claims:
        """The claims and what the provider tells beside them of the same person."""
        url = await self.endpoint("userinfo_endpoint")
        if not url or not (claims.get("sub") or claims.get("username")):
            return claims  # it is the token of a program, about which there is nothing to tell
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        question = Question(url, headers=headers)
        answer = await self._asked(question)
        if answer.status in (401, 403):
            return claims  # the token is good for something else than this
        told = _document(question, answer, 200)
        if claims.get("sub", told.get("sub")) != told.get("sub"):
            raise Untrusted("the provider tells of somebody else than of the token's owner")
        return {**told, **claims}

    # ---- the login by browser --------------------------------------------------------------------------------------

    async def login_url(self, redirect_uri: str, state: str, nonce: str, challenge: str) -> str:
        """Where a browser is sent."""
        url = await self.endpoint("authorization_endpoint")
        if not url:
            raise Unreachable(f"{self.settings.issuer}: the provider lets no browser in")
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"

    async def redeemed(self, code: str, redirect_uri: str, verifier: str, nonce: str) -> Claims:
        """What the provider says of whoever came back with this code. Raises Untrusted."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        question = self._as_client(await self.endpoint("token_endpoint"), form)
        answer = await self._asked(question)
        given = _document(question, answer, 200, 400, 401)
        id_token, access_token = given.get("id_token"), given.get("access_token")
        if answer.status != 200 or not isinstance(id_token, str):
            raise Untrusted(f"the provider gives nothing for the code: {given.get('error', answer.status)!r:.100}")
        claims = await self.verified(id_token, (self.settings.client_id,), nonce)
        return await self._with_userinfo(claims, access_token) if isinstance(access_token, str) else claims

    def _as_client(self, url: str, form: Mapping[str, str]) -> Question:
        """A question that this cloud puts as the client that the provider knows."""
        settings = self.settings
        if not settings.client_secret:
            return Question(url, "POST", FORM, urlencode({**form, "client_id": settings.client_id}).encode())
        pair = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
        headers = {**FORM, "Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return Question(url, "POST", headers, urlencode(form).encode())


def _document(question: Question, answer: Answer, *wanted: int) -> dict[str, Any]:
    """The JSON of an answer with one of these statuses. Raises Unreachable."""
    if answer.status not in wanted:
        raise Unreachable(f"{question.url}: answers {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except UNREADABLE as error:
        raise Unreachable(f"{question.url}: answers without JSON") from error


def _texts(value: Any) -> list[str]:
    """A claim that may be one text or a list of them."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
