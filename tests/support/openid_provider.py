"""An OpenID Connect provider in this process: it is asked through the seam by which the cloud asks, without sockets."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from cumulet.lib.clock import SECOND, Clock
from cumulet.services.identity.federation.oidc.outside import Answer, Question, Unreachable

ISSUER = "https://idp.test"
CLIENT, SECRET = "cloud", "s:ecret&"


class OpenIdWorld:
    """A provider with one client, and people who have logged in at it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.people: dict[str, dict[str, Any]] = {}
        """By code or opaque token: what is said of its owner."""
        self.asked: list[str] = []
        """The addresses that were asked, in their order."""
        self.down = False
        self.document: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "introspection_endpoint": f"{ISSUER}/introspect",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "jwks_uri": f"{ISSUER}/jwks",
        }

    # ---- what it signs -------------------------------------------------------------------------------------------

    def sign(self, key: RSAKey | None = None, **claims: Any) -> str:
        """A token with the usual claims, changed by those that are given; None leaves one out."""
        now = self.clock.now() // SECOND
        usual = {"iss": ISSUER, "aud": CLIENT, "sub": "17", "iat": now, "exp": now + 300}
        chosen = {name: value for name, value in (usual | claims).items() if value is not None}
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, chosen, key)

    def turn_key(self) -> None:
        """From now on it signs with another key."""
        self.key = RSAKey.generate_key(2048, {"kid": "second"})

    def browser(self, location: str, **claims: Any) -> str:
        """Somebody logs in by the page he was sent to: the query with which his browser comes back."""
        given = dict(parse_qsl(urlsplit(location).query))
        code = f"code-{len(self.people)}"
        self.people[code] = {**claims, "nonce": given["nonce"], "challenge": given["code_challenge"]}
        self.people[code]["redirect_uri"] = given["redirect_uri"]
        return f"code={code}&state={given['state']}"

    # ---- what it answers -----------------------------------------------------------------------------------------

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question.url)
        if self.down:
            raise Unreachable(f"{question.url}: nobody there")
        form = {name: values[0] for name, values in parse_qs(question.body.decode()).items()}
        match urlsplit(question.url).path:
            case "/.well-known/openid-configuration":
                return _json(self.document)
            case "/jwks":
                return _json(KeySet([self.key]).as_dict(private=False))
            case "/introspect":
                return _json(self._introspected(form)) if self._is_client(question) else _json({}, 401)
            case "/userinfo":
                return self._userinfo(question.headers["Authorization"].removeprefix("Bearer "))
            case "/token":
                return self._token(form) if self._is_client(question) else _json({"error": "invalid_client"}, 401)
        return _json({}, 404)

    def _is_client(self, question: Question) -> bool:
        return question.headers.get("Authorization") == "Basic " + base64.b64encode(b"cloud:s%3Aecret%26").decode()

    def _introspected(self, form: dict[str, str]) -> dict[str, Any]:
        person = self.people.get(form["token"])
        return {"active": True, "client_id": CLIENT, **person} if person else {"active": False}

    def _userinfo(self, token: str) -> Answer:
        person = self.people.get(token)
        return _json({"sub": "17", "email": "j@x.test", **person.get("userinfo", {})}) if person else _json({}, 401)

    def _token(self, form: dict[str, str]) -> Answer:
        person = self.people.pop(form["code"], None)  # a code is good for once
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if not person or person["challenge"] != challenge or person["redirect_uri"] != form["redirect_uri"]:
            return _json({"error": "invalid_grant"}, 400)
        access = f"access-{form['code']}"
        self.people[access] = {"userinfo": person.pop("userinfo", {})}
        claims = {name: value for name, value in person.items() if name not in ("challenge", "redirect_uri")}
        return _json({"access_token": access, "id_token": self.sign(**claims), "token_type": "Bearer"})


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())
