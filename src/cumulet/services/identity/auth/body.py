"""What a client sends to authenticate."""

from __future__ import annotations

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.wire import AnyObject, Anything, Bool, ListOf, Obj, OneOf, Text

_ID, _NAME = Text(255), Text(255)

FEDERATED = ("mapped", "saml2", "openid")


def _obj(*fields: Field) -> Obj:
    return Obj(*fields, extra=True)


DOMAIN = _obj(Field("id", _ID, create=OPTIONAL), Field("name", _NAME, create=OPTIONAL))
_WHO = (
    Field("id", _ID, create=OPTIONAL),
    Field("name", _NAME, create=OPTIONAL),
    Field("domain", DOMAIN, create=OPTIONAL),
)
USER = _obj(*_WHO)
PROJECT = _obj(*_WHO)
SCOPE = _obj(
    Field("project", PROJECT, create=OPTIONAL),
    Field("domain", DOMAIN, create=OPTIONAL),
    Field("system", _obj(Field("all", Bool, create=OPTIONAL)), create=OPTIONAL),
    Field("OS-TRUST:trust", _obj(Field("id", _ID, create=REQUIRED)), create=OPTIONAL),
    Field("unscoped", Anything, create=OPTIONAL),
)
IDENTITY = _obj(
    Field("methods", ListOf(Text(64), most=16), create=REQUIRED),
    Field(
        "password",
        _obj(Field("user", _obj(*_WHO, Field("password", Text(4096), create=REQUIRED)), create=REQUIRED)),
        create=OPTIONAL,
    ),
    Field("token", _obj(Field("id", Text(8192), create=REQUIRED)), create=OPTIONAL),
    Field(
        "totp",
        _obj(Field("user", _obj(*_WHO, Field("passcode", Text(64), create=REQUIRED)), create=REQUIRED)),
        create=OPTIONAL,
    ),
    Field(
        "application_credential",
        _obj(
            Field("id", _ID, create=OPTIONAL),
            Field("name", _NAME, create=OPTIONAL),
            Field("secret", Text(4096), create=REQUIRED),
            Field("user", USER, create=OPTIONAL),
        ),
        create=OPTIONAL,
    ),
    Field("oauth1", AnyObject, create=OPTIONAL),
    *(Field(method, _obj(Field("id", Text(8192), create=REQUIRED)), create=OPTIONAL) for method in FEDERATED),
)
AUTH = Body(
    "auth",
    [
        Field("identity", IDENTITY, create=REQUIRED),
        Field("scope", OneOf(Text(64), SCOPE), create=OPTIONAL),
    ],
    extra=True,
)
