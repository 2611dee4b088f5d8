"""The options of a domain's directory, under their upstream names, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from cumulet.drivers.directory.base import Filter, Scope
from cumulet.drivers.directory.ldap.directory import PATIENCE, Address, BadAddress, Ldap
from cumulet.drivers.directory.ldap.filters import BadFilter, equal, parse, present

_ALIASES = {"never": 0, "searching": 1, "finding": 2, "always": 3, "default": 0}
_MORE = ("user_attribute_ignore", "group_attribute_ignore")
_PAIRS = ("user_additional_attribute_mapping", "group_additional_attribute_mapping")


class BadOption(ValueError):
    """An option cannot be used; the text begins with its name."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The group `ldap`."""

    url: str = "ldap://localhost"
    user: str | None = None
    password: str | None = None
    suffix: str = "cn=example,cn=com"
    query_scope: Literal["one", "sub"] = "one"
    page_size: int = 0
    alias_dereferencing: Literal["default", "never", "searching", "finding", "always"] = "default"
    chase_referrals: bool | None = None
    user_tree_dn: str | None = None
    user_filter: str | None = None
    user_objectclass: str = "inetOrgPerson"
    user_id_attribute: str = "cn"
    user_name_attribute: str = "sn"
    user_description_attribute: str = "description"
    user_mail_attribute: str = "mail"
    user_pass_attribute: str = "userPassword"  # noqa: S105 - a name
    user_enabled_attribute: str = "enabled"
    user_enabled_invert: bool = False
    user_enabled_mask: int = 0
    user_enabled_default: str | int | bool = "True"
    user_attribute_ignore: list[str] = msgspec.field(default_factory=lambda: ["default_project_id"])
    user_default_project_id_attribute: str | None = None
    user_enabled_emulation: bool = False
    user_enabled_emulation_dn: str | None = None
    user_enabled_emulation_use_group_config: bool = False
    user_additional_attribute_mapping: list[str] = []
    group_tree_dn: str | None = None
    group_filter: str | None = None
    group_objectclass: str = "groupOfNames"
    group_id_attribute: str = "cn"
    group_name_attribute: str = "ou"
    group_member_attribute: str = "member"
    group_members_are_ids: bool = False
    group_desc_attribute: str = "description"
    group_attribute_ignore: list[str] = []
    group_additional_attribute_mapping: list[str] = []
    group_ad_nesting: bool = False
    tls_cacertfile: str | None = None
    tls_cacertdir: str | None = None
    use_tls: bool = False
    tls_req_cert: Literal["demand", "allow", "never"] = "demand"
    connection_timeout: int = -1
    use_pool: bool = True
    pool_size: int = 10
    pool_retry_max: int = 3
    pool_retry_delay: float = 0.1
    pool_connection_timeout: int = -1
    pool_connection_lifetime: int = 600
    use_auth_pool: bool = True
    auth_pool_size: int = 100
    auth_pool_connection_lifetime: int = 60

    @classmethod
    def read(cls, given: Mapping[str, Any], *, reachable: bool = True) -> Options:
        """From what was set; lists may also be written with commas. Raises BadOption.

        Whether the address is one is asked where it is used: the real service keeps any text there.
        """
        values = {
            name: [part.strip() for part in value.split(",") if part.strip()]
            if name in _MORE + _PAIRS and isinstance(value, str)
            else value
            for name, value in given.items()
            if value is not None
        }
        try:
            options = msgspec.convert(values, cls, strict=False)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$.")
            raise BadOption(f"{where.rstrip('`') or 'ldap'}: {what}") from error
        if reachable:
            options.ldap()
        options.users_wanted()
        options.groups_wanted()
        for name in _PAIRS:
            pairs(name, getattr(options, name))
        return options

    def ldap(self) -> Ldap:
        """How to reach the directory. Raises BadOption."""
        try:
            addresses = tuple(Address.parse(text) for text in self.url.replace(",", " ").split())
        except BadAddress as error:
            raise BadOption(f"url: {error}") from error
        if not addresses:
            raise BadOption("url: give the address of a server, such as ldap://host")
        if self.use_tls and any(address.tls for address in addresses):
            raise BadOption("use_tls: an address with ldaps:// speaks TLS already; use ldap:// with it")
        return Ldap(
            addresses=addresses,
            dn=self.user or "",
            password=self.password or "",
            start_tls=self.use_tls,
            ca_file=self.tls_cacertfile,
            ca_folder=self.tls_cacertdir,
            verify=self.tls_req_cert == "demand",
            patience=next((s for s in (self.connection_timeout, self.pool_connection_timeout) if s > 0), PATIENCE),
            page=max(self.page_size, 0),
            aliases=_ALIASES[self.alias_dereferencing],
            chase=bool(self.chase_referrals),
            kept=self.pool_size if self.use_pool else 0,
            kept_seconds=self.pool_connection_lifetime,
            kept_logins=self.auth_pool_size if self.use_auth_pool else 0,
            kept_logins_seconds=self.auth_pool_connection_lifetime,
        )

    @property
    def scope(self) -> Scope:
        return Scope.SUB if self.query_scope == "sub" else Scope.ONE

    @property
    def users_below(self) -> str:
        return self.user_tree_dn or f"ou=Users,{self.suffix}"

    @property
    def groups_below(self) -> str:
        return self.group_tree_dn or f"ou=UserGroups,{self.suffix}"

    @property
    def enabled_users(self) -> str:
        """The group whose members are enabled, where membership says so."""
        return self.user_enabled_emulation_dn or f"cn=enabled_users,{self.users_below}"

    @property
    def keeps_default_projects(self) -> bool:
        return bool(self.user_default_project_id_attribute) and "default_project_id" not in self.user_attribute_ignore

    def users_wanted(self) -> list[Filter]:
        """What every entry of a user fulfils. Raises BadOption."""
        return _wanted("user_filter", self.user_filter, self.user_objectclass, self.user_id_attribute)

    def groups_wanted(self) -> list[Filter]:
        return _wanted("group_filter", self.group_filter, self.group_objectclass, self.group_id_attribute)


def _wanted(name: str, text: str | None, kind: str, id_attribute: str) -> list[Filter]:
    try:
        own = [parse(text)] if text else []
    except BadFilter as error:
        raise BadOption(f"{name}: {error}") from error
    return [*own, equal("objectClass", kind), present(id_attribute)]


def pairs(name: str, texts: list[str]) -> dict[str, str]:
    """From the directory's attributes to ours, out of `theirs:ours`. Raises BadOption."""
    found = {}
    for text in texts:
        theirs, colon, ours = text.partition(":")
        if ours == "password":
            raise BadOption(f"{name}: a password is not shown, whatever it is called there")
        if not (theirs and colon and ours):
            raise BadOption(f"{name}: {text[:60]!r} is not written as directory_attribute:our_attribute")
        found[theirs] = ours
    return found
