"""The clients' configuration: our cloud is put beside the user's others, never over them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

CLOUD = "cumulet"


def standard_place() -> Path:
    """Where clients look, unless the user says otherwise."""
    given = os.environ.get("OS_CLIENT_CONFIG_FILE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "openstack" / "clouds.yaml"


def entries(url: str, region: str, password: str) -> dict[str, Any]:
    """Two clouds: the administrator's, and `cumulet-demo` for the ordinary user."""

    def cloud(user: str, project: str) -> dict[str, Any]:
        return {
            "auth": {
                "auth_url": f"{url}/v3",
                "username": user,
                "password": password,
                "project_name": project,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            "region_name": region,
            "identity_api_version": 3,
        }

    return {CLOUD: cloud("admin", "admin"), f"{CLOUD}-demo": cloud("demo", "demo")}


def merge(place: Path, ours: dict[str, Any]) -> None:
    """Write our entries into the file at `place`, atomically and for its owner's eyes only. Raises ValueError."""
    found: Any = {}
    if place.exists():
        try:
            found = yaml.safe_load(place.read_text()) or {}
        except yaml.YAMLError as error:
            raise ValueError(f"{place} is not valid YAML ({error}); mend or move it, then try again") from error
        if not isinstance(found, dict) or not isinstance(found.get("clouds", {}), dict):
            raise ValueError(f"{place} has no mapping 'clouds'; mend or move it, then try again")
    clouds = found.setdefault("clouds", {})
    if all(clouds.get(name) == entry for name, entry in ours.items()):
        return
    clouds.update(ours)
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(found, file, sort_keys=False)
    os.replace(draft, place)
