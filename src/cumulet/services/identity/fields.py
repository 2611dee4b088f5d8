"""The types of identity's fields."""

from __future__ import annotations

from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.wire import ListOf, Obj, StrictBool, Text

Id = Text(64, 1, r"^[a-zA-Z0-9-]+$")
AnyName = Text(255, 1, r"\S")
ProjectName = Text(64, 1, r"\S")
Description = Text(65_535)
Tag = Text(255, 1, r"^[^,/]*$")
Tags = ListOf(Tag, most=80, unique=True)
Url = Text(65_535, 1, r"^[a-zA-Z0-9+.-]+:.+")

_FLAG = StrictBool.or_null()

ImmutableOption = Obj(Field("immutable", _FLAG, create=OPTIONAL))
"""The one option of projects, domains and roles."""
UserOptions = Obj(
    Field("ignore_change_password_upon_first_use", _FLAG, create=OPTIONAL),
    Field("ignore_lockout_failure_attempts", _FLAG, create=OPTIONAL),
    Field("ignore_password_expiry", _FLAG, create=OPTIONAL),
    Field("ignore_user_inactivity", _FLAG, create=OPTIONAL),
    Field("lock_password", _FLAG, create=OPTIONAL),
    Field("multi_factor_auth_enabled", _FLAG, create=OPTIONAL),
    Field(
        "multi_factor_auth_rules",
        ListOf(ListOf(Text(64, 1), most=16, least=1, unique=True), most=64, unique=True).or_null(),
        create=OPTIONAL,
    ),
)
