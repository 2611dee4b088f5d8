"""What an operator may set about those who vouch for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OidcSettings:
    """An OpenID Connect provider, and what this cloud is to him."""

    issuer: str
    """As he writes it into what he signs. His addresses are found below it, unless they are given here."""
    client_id: str
    client_secret: str = ""
    """Empty: a client without a secret."""
    audiences: tuple[str, ...] = ()
    """For whom an access token must have been made; empty: for `client_id`. A token made for another client of the same
    provider says that somebody trusts that client, not that he wants to be here."""
    scopes: str = "openid profile email"
    """What is asked for in a login by browser."""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    introspection_endpoint: str = ""
    userinfo_endpoint: str = ""
    jwks_uri: str = ""
    ca_file: str = ""
    """Certificates to trust besides the system's."""


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """A proxy in front that authenticates people and writes what it knows of them into headers."""

    secret: str = ""
    """What it sends in the header X-Federation-Secret. Empty: no proxy is believed anything."""
    remote_user_header: str = "X-Remote-User"
    """The header of the attribute REMOTE_USER."""
    remote_id_attribute: str = "HTTP_OIDC_ISS"
    """The attribute in which the provider names himself, for protocols that do not say which."""


@dataclass(frozen=True, kw_only=True)
class SamlProviderSettings:
    """A SAML identity provider."""

    entity_id: str
    certificates: tuple[str, ...]
    """Files, each with the certificate of a key that he signs with."""
    sso_url: str = ""
    """Where browsers log in, by redirection; empty: browsers are not let in."""
    audience_required: bool = True
    """An assertion must name this cloud as its audience. Clouds that vouch for their users to other clouds do not: they
    name the address that an assertion is for, which is looked at in every case."""
    unasked: bool = True
    """Assertions that answer no question of ours are taken from clients; never from browsers."""


@dataclass(frozen=True, kw_only=True)
class SamlSettings:
    """This cloud as an identity provider for other clouds."""

    entity_id: str = ""
    """Its name there; empty: an address below the cloud's own."""
    certificate: str = ""
    key: str = ""
    """Files; empty: a pair is made when it is first needed."""
    assertion_seconds: int = 3600
    organization: str = "Cumulet"
    contact_email: str = ""
