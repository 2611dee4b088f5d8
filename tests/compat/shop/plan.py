"""The application, as `shop.yaml` describes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
NAME = "shop"
ANYONE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Tier:
    """A network, a subnet and a group; from the world or from another tier's group it may be asked at one port."""

    name: str
    cidr: str
    port: int
    asked_by: str | None
    """The name of a tier, or None for the world."""


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    tier: str
    address: str
    script: Path


@dataclass(frozen=True, slots=True)
class Plan:
    public_network: str
    flavor: dict[str, int]
    tiers: list[Tier]
    servers: list[Server]
    volume_gib: int
    volume_server: str
    reached: str
    """The server that gets a floating IP."""


@cache
def plan() -> Plan:
    told: dict[str, Any] = yaml.safe_load((FOLDER / "shop.yaml").read_text())
    return Plan(
        told["public_network"],
        told["flavor"],
        [Tier(_named(t["name"]), t["cidr"], t["port"], _asked_by(t["from"])) for t in told["tiers"]],
        [
            Server(_named(s["name"]), _named(s["tier"]), s["address"], FOLDER / "guests" / s["script"])
            for s in told["servers"]
        ],
        told["volume"]["size"],
        _named(told["volume"]["server"]),
        _named(told["reached"]),
    )


def _named(name: str) -> str:
    return f"{NAME}-{name}"


def _asked_by(tier: str) -> str | None:
    return None if tier == "anyone" else _named(tier)
