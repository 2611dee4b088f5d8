"""A real OpenID Connect provider, django-oauth-toolkit, in a process of its own.

It knows one person and three clients: `cloud`, to which browsers return and which may ask about tokens; `shell`, by
which programs get tokens with a password; and `robot`, which is somebody itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.started import answers, started

PERSON, PASSWORD = "ada", "analytical engine"
CLIENTS = {"cloud": "between the two", "shell": "of the shell", "robot": "of the robot"}


@contextmanager
def openid_server(issuer: str, folder: Path, redirect_uri: str) -> Iterator[None]:
    """The provider, from the moment on when it answers."""
    command = [sys.executable, "-m", __name__, issuer, folder, redirect_uri]
    with started("the provider", command, folder / "provider.log") as provider:
        provider.wait_until(lambda: answers(f"{issuer}/.well-known/openid-configuration"))
        yield


def serve(issuer: str, folder: Path, redirect_uri: str) -> None:
    """Run it here, for ever."""
    from urllib.parse import urlsplit
    from wsgiref.simple_server import make_server

    import django
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings.configure(
        SECRET_KEY=os.urandom(32).hex(),
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.support.openid_urls",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "provider.db")}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGIN_URL="/login/",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": issuer,
            "OIDC_RSA_PRIVATE_KEY": pem,
            "OAUTH2_VALIDATOR_CLASS": "tests.support.openid_urls.Validator",
            "SCOPES": {"openid": "who you are", "profile": "your name", "email": "your address"},
            "PKCE_REQUIRED": True,
        },
        USE_TZ=True,
    )
    django.setup()
    _fill(redirect_uri)
    from django.core.wsgi import get_wsgi_application

    parts = urlsplit(issuer)
    make_server(parts.hostname or "", parts.port or 0, get_wsgi_application()).serve_forever()


def _fill(redirect_uri: str) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    grants = {
        "cloud": Application.GRANT_AUTHORIZATION_CODE,
        "shell": Application.GRANT_PASSWORD,
        "robot": Application.GRANT_CLIENT_CREDENTIALS,
    }
    call_command("migrate", verbosity=0)
    User.objects.create_user(PERSON, "ada@x.test", PASSWORD)
    for name, secret in CLIENTS.items():
        Application.objects.create(
            name=name,
            client_id=name,
            client_secret=secret,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=grants[name],
            redirect_uris=redirect_uri,
            algorithm=Application.RS256_ALGORITHM,
            skip_authorization=True,
        )


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
