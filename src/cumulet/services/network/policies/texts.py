"""The texts that many rules share, and the families of rules that share them.

A text is as upstream's policy files have it, letter for letter, since operators compare and copy them.
"""

from __future__ import annotations

from collections.abc import Iterable

ADMIN = "rule:admin_only"
READER = "role:reader"
PROJECT_READER = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)"
PROJECT_MEMBER = "(rule:admin_only) or (role:member and project_id:%(project_id)s)"
PROJECT_MANAGER = "(rule:admin_only) or (role:manager and project_id:%(project_id)s)"
PARENT_READER = "(rule:admin_only) or (role:reader and rule:ext_parent_owner)"
PARENT_MEMBER = "(rule:admin_only) or (role:member and rule:ext_parent_owner)"
PARENT_MANAGER = "(rule:admin_only) or (role:manager and rule:ext_parent_owner)"
SERVICE = "(rule:admin_only) or (rule:service_api)"

WRITES = ("create", "update", "delete")
SETS = ("create", "update")
"""The verbs that an attribute is given by."""


def rules(verbs: Iterable[str], *names: str, text: str) -> dict[str, str]:
    """One text for these verbs of these nouns or attributes: `create_network`, `create_network:shared`."""
    return {f"{verb}_{name}": text for name in names for verb in verbs}


def noun(
    *names: str, read: str = PROJECT_READER, write: str = PROJECT_MEMBER, verbs: Iterable[str] = WRITES
) -> dict[str, str]:
    """What most nouns have: one text to read them, one to write them. Tags are a noun of their own: `network:tags`."""
    return rules(("get",), *names, text=read) | rules(verbs, *names, text=write)
