"""What every part of a preparation uses: the way into the cloud, and the settings that come together."""

from __future__ import annotations

import argparse
import configparser
import time
from collections.abc import Callable
from typing import Any

import openstack

# What Tempest calls a service: its section of the settings, and the catalog's types of it, the official one first.
SERVICES = {
    "nova": ("compute", ("compute",)),
    "glance": ("image", ("image",)),
    "neutron": ("network", ("network",)),
    "cinder": ("volume", ("block-storage", "volumev3")),
    "swift": ("object-storage", ("object-store",)),
    "heat": ("heat_plugin", ("orchestration",)),
    "designate": ("dns", ("dns",)),
    "placement": ("placement", ("placement",)),
}
UNLIMITED = -1


class Preparation:
    """One cloud, and the settings for its tests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.settings: dict[str, dict[str, str]] = {}
        self.given = parser_of(options.profile, *options.overrides)
        self.problems: list[str] = []
        cloud: Any = openstack.connect(cloud=options.os_cloud, app_name="cumulet-verify")
        self.cloud = cloud
        self.access: Any = self.cloud.session.auth.get_access(self.cloud.session)
        self.catalog = {entry["type"]: entry for entry in self.access.service_catalog.catalog}
        self.types = {
            service: next((kind for kind in kinds if kind in self.catalog), None)
            for service, (_, kinds) in SERVICES.items()
        }

    def put(self, section: str, **values: object) -> None:
        texts = {name: str(value) for name, value in values.items() if value not in (None, "")}
        self.settings.setdefault(section, {}).update(texts)

    def step(self, prepare: Callable[[], None]) -> None:
        began = time.monotonic()
        # Whatever a cloud answers, its other services are judged all the same.
        try:
            prepare()
        except Exception as error:
            self.problems.append(f"{prepare.__name__}: {type(error).__name__}: {str(error)[:400]}")
            print(f"prepare: {self.problems[-1]}", flush=True)
        else:
            print(f"prepare: {prepare.__name__} ({time.monotonic() - began:.1f} s)", flush=True)

    def register_limits(self, service: str, names: tuple[str, ...]) -> None:
        """Unified limits that bound nobody, so that the tests may set some for their projects."""
        identity = self.cloud.identity
        found = next((entry for entry in identity.services() if entry.name == service), None)
        if found is None or any(limit.service_id == found.id for limit in identity.registered_limits()):
            return
        region = self.cloud.config.get_region_name() or "RegionOne"
        for name in names:
            identity.create_registered_limit(
                service_id=found.id, region_id=region, resource_name=name, default_limit=UNLIMITED
            )

    def versions(self, section: str, service_type: str) -> None:
        found = self.cloud.session.get_endpoint_data(
            service_type=service_type, interface="public", discover_versions=True
        )
        if found is not None and found.max_microversion:
            self.put(
                section,
                min_microversion=dotted(found.min_microversion),
                max_microversion=dotted(found.max_microversion),
            )


def parser_of(*files: str) -> configparser.RawConfigParser:
    """Settings of these files; what a later one says counts."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign] # names of options keep their case
    parser.read(files)
    return parser


def dotted(version: tuple[int, ...] | str) -> str:
    return version if isinstance(version, str) else ".".join(str(part) for part in version)
