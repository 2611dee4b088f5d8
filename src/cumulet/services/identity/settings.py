"""What an operator may set about identity."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cumulet.services.identity.federation.settings import (
    OidcSettings,
    ProxySettings,
    SamlProviderSettings,
    SamlSettings,
)
from cumulet.services.identity.tokens.signing_keys import check_private_keys


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Typed settings; the defaults are those of the real service, but for what a young cloud should do better."""

    state: Path
    """The directory that holds the key repositories."""
    base_url: str = "http://127.0.0.1:5000"
    """What the catalogue's URLs begin with."""
    token_provider: Literal["fernet", "jws", "uuid"] = "fernet"  # noqa: S105 - the name of a form
    """The form of new tokens: sealed, signed, or random with what they mean kept in the database."""
    token_lifetime: int = 3600
    """Seconds."""
    expired_window: int = 48 * 3600
    """Seconds for which a service may still speak for a user whose token expired during long work."""
    receipt_lifetime: int = 300
    """Seconds for the steps of an authentication with several rules."""
    active_keys: int = 3
    """How many Fernet keys are kept: one staged, one primary, the others to read older tokens."""
    cached_tokens: int = 10_000
    scrypt_log_n: int = 14
    """Work for a new password hash; each step doubles it."""
    hashing_threads: int = 2
    lockout_attempts: int = 0
    """Wrong passwords in a row that lock an account; 0: never."""
    lockout_seconds: int = 1800
    inactive_days: int = 0
    """Days without authentication that disable a user; 0: never."""
    password_days: int = 0
    """Days until a password expires; 0: never."""
    password_min_age_days: int = 0
    password_history: int = 0
    """How many of his last passwords a user may not take again."""
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False
    domain_config_dir: str = ""
    """A folder of files `keystone.NAME.conf`, read at the start: configurations of domains."""
    directory_seconds: int = 60
    """For so long a token believes what a directory last said of its user."""
    max_project_depth: int = 5
    """Projects below projects, counted from the domain."""
    limit_model: Literal["flat", "strict_two_level"] = "flat"
    """What limits mean to one another; limits/models.py tells."""
    credentials_per_user: int = 1000
    application_credentials_per_user: int = 1000
    relay_state_prefix: str = "ss:mem:"
    """What the relay state of an assertion for another cloud begins with, unless that cloud's entry says otherwise."""
    trusted_dashboards: tuple[str, ...] = ()
    """The addresses to which a login by browser may send its token, each exactly as the dashboard calls itself."""
    default_authorization_ttl: int = 0
    """Minutes for which people keep the groups of a federated login, unless their provider says so himself; 0: only in
    the token."""
    oidc: dict[str, OidcSettings] = field(default_factory=dict)
    """How each identity provider, by the id he has here, is spoken with in OpenID Connect."""
    proxy: ProxySettings = field(default_factory=ProxySettings)
    """A proxy that authenticates people itself."""
    saml_providers: dict[str, SamlProviderSettings] = field(default_factory=dict)
    """Whose SAML assertions are taken, by the id that a provider has here."""
    saml: SamlSettings = field(default_factory=SamlSettings)


def check_files(settings: Settings) -> None:
    """Raise ValueError for the first setting that names a file which cannot be read."""
    if settings.token_provider == "jws":  # noqa: S105
        check_private_keys(settings.state / "jws-keys")
    named = {f"saml_providers.{id_}": provider.certificates for id_, provider in settings.saml_providers.items()}
    named |= {f"oidc.{id_}": (given.ca_file,) for id_, given in settings.oidc.items()}
    named |= {"saml": (settings.saml.key, settings.saml.certificate)}
    for setting, files in named.items():
        for file in files:
            if file and not os.access(file, os.R_OK):
                raise ValueError(f"{setting}: {file} cannot be read")
