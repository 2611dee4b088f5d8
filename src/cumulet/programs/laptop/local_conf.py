"""DevStack's local.conf, as the course has it: the settings in it that mean something here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

MEANING = {
    "ADMIN_PASSWORD": "admin_password",
    "HOST_IP": "host",
    "FIXED_RANGE": "fixed_range",
    "IPV4_ADDRS_SAFE_TO_USE": "fixed_range",
    "FLOATING_RANGE": "floating_range",
    "REGION_NAME": "region",
    "DEST": "",
    "DATA_DIR": "state_dir",
}
"""DevStack's names and ours; names that are not here are accepted and have no effect."""

_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*$")
_SECTION = re.compile(r"\s*\[\[\s*(.+?)\s*\]\]\s*$")
_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?")


def read(file: Path) -> tuple[dict[str, Any], list[str]]:
    """(our settings, DevStack's names without effect here). Only the section `[[local|localrc]]` counts."""
    values: dict[str, str] = {}
    inside = True  # a localrc of old has no sections
    for line in file.read_text().splitlines():
        section = _SECTION.match(line)
        if section:
            inside = section[1].replace(" ", "") == "local|localrc"
            continue
        found = _LINE.match(line)
        if inside and found and not line.lstrip().startswith("#"):
            values[found[1]] = _expand(_unquoted(found[2]), values)
    settings = {MEANING[name]: value for name, value in values.items() if MEANING.get(name)}
    ignored = sorted(name for name in values if name not in MEANING)
    return settings, ignored


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text.split(" #")[0].strip()


def _expand(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1], ""), text)
