"""From entries to people and groups: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cumulet.drivers.directory.base import Entry
from cumulet.services.identity.directories.options import Options, pairs

_SPECIAL = (b",", b"+", b'"', b"\\", b"<", b">", b";", b"=", b" ", b"#")
LONGEST = 255
"""Characters of an id or a name; who has a longer one is not ours."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the directory shows him."""

    local_id: str
    dn: str
    name: str
    enabled: bool
    default_project_id: str | None
    """None: not the directory's matter."""
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the directory shows it."""

    local_id: str
    dn: str
    name: str
    description: str
    members: Collection[str]
    """Names of entries, or ids."""
    extra: Mapping[str, Any]


def public_id(domain_id: str, kind: str, local_id: str) -> str:
    """The id under which the API knows an entry, for ever: the same as the reference service makes."""
    return hashlib.sha256(f"{domain_id}{kind}{local_id}".encode()).hexdigest()


def user_attributes(options: Options) -> list[str]:
    wanted = [
        options.user_id_attribute,
        options.user_name_attribute,
        options.user_mail_attribute,
        options.user_description_attribute,
        options.user_enabled_attribute,
        options.user_default_project_id_attribute or "",
        *pairs("", options.user_additional_attribute_mapping),
    ]
    return [name for name in dict.fromkeys(wanted) if name]


def group_attributes(options: Options) -> list[str]:
    wanted = [
        options.group_id_attribute,
        options.group_name_attribute,
        options.group_desc_attribute,
        options.group_member_attribute,
        *pairs("", options.group_additional_attribute_mapping),
    ]
    return [name for name in dict.fromkeys(wanted) if name]


def person(entry: Entry, options: Options, enabled_dns: Collection[str]) -> Person | None:
    """The user of an entry; None without an id and a name. `enabled_dns` counts where membership enables."""
    local_id, name = entry.first(options.user_id_attribute), entry.first(options.user_name_attribute)
    if not local_id or not name or max(len(local_id), len(name)) > LONGEST:
        return None
    ignored = options.user_attribute_ignore
    ours = {
        options.user_mail_attribute: "email",
        options.user_description_attribute: "description",
        **pairs("", options.user_additional_attribute_mapping),
    }
    extra = {ours[theirs]: value for theirs in ours if (value := entry.first(theirs)) and ours[theirs] not in ignored}
    project = options.user_default_project_id_attribute or ""
    chosen = (entry.first(project) or "")[:64] if options.keeps_default_projects else None
    return Person(local_id, entry.dn, name, _is_enabled(entry, options, enabled_dns), chosen, extra)


def group(entry: Entry, options: Options) -> Group | None:
    local_id, name = entry.first(options.group_id_attribute), entry.first(options.group_name_attribute)
    if not local_id or not name or max(len(local_id), len(name)) > LONGEST:
        return None
    ignored = options.group_attribute_ignore
    ours = pairs("", options.group_additional_attribute_mapping)
    extra = {ours[theirs]: value for theirs in ours if (value := entry.first(theirs)) and ours[theirs] not in ignored}
    description = "" if "description" in ignored else entry.first(options.group_desc_attribute) or ""
    return Group(local_id, entry.dn, name, description, entry.all(options.group_member_attribute), extra)


def _is_enabled(entry: Entry, options: Options, enabled_dns: Collection[str]) -> bool:
    if options.user_enabled_emulation:
        key = entry.first(options.user_id_attribute) if _emulates_by_id(options) else normal_dn(entry.dn)
        return key in enabled_dns
    said = None if "enabled" in options.user_attribute_ignore else entry.first(options.user_enabled_attribute)
    value = options.user_enabled_default if said is None else said
    if options.user_enabled_mask:
        return _number(value) & options.user_enabled_mask != options.user_enabled_mask
    return _truth(value) != options.user_enabled_invert


def _emulates_by_id(options: Options) -> bool:
    return options.user_enabled_emulation_use_group_config and options.group_members_are_ids


def enabling(values: Collection[str], options: Options) -> set[str]:
    """Who is enabled by membership, in the form in which `person` compares."""
    return set(values) if _emulates_by_id(options) else {normal_dn(value) for value in values}


def _number(value: str | int | bool) -> int:
    try:
        return int(value)
    except ValueError:
        return 0


def _truth(value: str | int | bool) -> bool:
    return value.strip().lower() in ("true", "yes", "on", "1") if isinstance(value, str) else bool(value)


def normal_dn(dn: str) -> str:
    """A distinguished name in the one form that can be compared: case, blanks and ways to escape do not count."""
    parts, raw, place = [bytearray()], dn.encode(), 0
    while place < len(raw):
        piece, place = _byte(raw, place)
        if piece == b",":
            parts.append(bytearray())
        else:
            parts[-1] += piece
    normal = []
    for part in parts:
        kind, _, value = part.decode(errors="replace").partition("=")
        normal.append(f"{kind.strip().lower()}={' '.join(value.split()).lower()}")
    return ",".join(normal)


def _byte(raw: bytes, place: int) -> tuple[bytes, int]:
    """The next byte, with a backslash before it where it would otherwise have a meaning; and the place behind it."""
    if raw[place : place + 1] != b"\\":
        return raw[place : place + 1], place + 1
    try:
        byte, end = bytes.fromhex(raw[place + 1 : place + 3].decode("ascii", "replace")), place + 3
    except ValueError:
        byte, end = raw[place + 1 : place + 2], place + 2
    return (b"\\" + byte if byte in _SPECIAL else byte), end
