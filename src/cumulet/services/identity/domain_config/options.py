"""Which options a domain may have of its own, and what holds while it has not."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.services.identity.directories.options import Options

SECRET = {("ldap", "password")}
"""Never shown again."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": msgspec.to_builtins(Options()),
}
