"""What placing is told: the hosts as they are, and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Aggregate:
    """A set of hosts with something in common."""

    id: int
    name: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Host:
    """A node at this moment."""

    name: str
    zone: str
    alive: bool = True
    disabled: bool = False
    free: Mapping[str, float] = field(default_factory=dict)
    """What may still be claimed of each resource."""
    most: Mapping[str, int] = field(default_factory=dict)
    """What one server may get of each."""
    hypervisor: str = "qemu"
    architecture: str = "x86_64"
    traits: frozenset[str] = frozenset()
    aggregates: tuple[Aggregate, ...] = ()
    servers: frozenset[str] = frozenset()
    """Ids of the servers here that the request speaks of: its group's and its hints'."""
    count: int = 0
    """All servers here."""
    building: int = 0
    """Servers here that are on their way."""


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    resources: Mapping[str, int]
    project_id: str = ""
    zone: str = ""
    host: str = ""
    """Only this host."""
    bound: frozenset[str] = frozenset()
    """Hosts that some of its volumes lie on, which no other host reaches."""
    avoid: frozenset[str] = frozenset()
    """Hosts that it moves away from, or is not gone from yet."""
    volumes: Mapping[str, int] = field(default_factory=dict)
    """How many of its volumes lie on which host."""
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    image_properties: Mapping[str, str] = field(default_factory=dict)
    same_host: frozenset[str] = frozenset()
    different_host: frozenset[str] = frozenset()
    policy: str = ""
    """Of its server group."""
    group_members: frozenset[str] = frozenset()
    max_per_host: int = 1
    short: Mapping[str, str] = field(default_factory=dict)
    """Hosts that cannot promise what its ports ask for, and why; an empty reason where one can."""
    apart: Mapping[str, str] = field(default_factory=dict)
    """Hosts that do not reach its networks, and why."""
