"""What this node has been ordered to hold, kept in a file: written before anything is made, taken out when it is gone.

It says what may be removed, and what is left alone though a later fabric does not name it. It need not survive a power
cut: nothing that it speaks of does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric
from cumulet.contracts.record import Record
from cumulet.drivers.network.linux.names import Element

_ZONES = 65535

FIELDS: Mapping[Kind, str] = {
    Kind.NETWORK: "networks",
    Kind.PORT: "ports",
    Kind.GROUP: "groups",
    Kind.ROUTER: "routers",
}
"""Where a fabric keeps each kind."""


def elements_of(fabric: Fabric) -> set[Element]:
    return {(kind, spec.id) for kind, field in FIELDS.items() for spec in getattr(fabric, field)}


class Held(Record, frozen=True, kw_only=True):
    """All elements, and the tracker zone of each network."""

    fabric: Fabric = Fabric()
    zones: dict[str, int] = {}
    last_zone: int = 0

    def joined(self, fabric: Fabric) -> Held:
        """With these elements, instead of those of the same ids."""
        together = {
            field: tuple({spec.id: spec for spec in (*getattr(self.fabric, field), *getattr(fabric, field))}.values())
            for field in FIELDS.values()
        }
        return self._zoned(Fabric(**together, places=fabric.places))

    def without(self, kind: Kind, key: str) -> Held:
        """Without this one."""
        kept = {
            field: tuple(s for s in getattr(self.fabric, field) if of is not kind or s.id != key)
            for of, field in FIELDS.items()
        }
        return self._zoned(Fabric(**kept, places=self.fabric.places))

    def has(self, kind: Kind, key: str) -> bool:
        return any(spec.id == key for spec in getattr(self.fabric, FIELDS[kind]))

    def _zoned(self, fabric: Fabric) -> Held:
        """Each network keeps its number; one that is free again is given out last, when its flows have ended."""
        zones = {network.id: self.zones[network.id] for network in fabric.networks if network.id in self.zones}
        last, taken = self.last_zone, set(zones.values())
        for network in fabric.networks:
            if network.id not in zones:
                last = next(n for i in range(_ZONES) if (n := (last + i) % _ZONES + 1) not in taken)
                zones[network.id] = last
                taken.add(last)
        return Held(fabric=fabric, zones=zones, last_zone=last)


def read_held(path: Path) -> Held:
    """What was held when we last ran; nothing if there is no such file, or it is from another version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Held)
    except (FileNotFoundError, msgspec.DecodeError):
        return Held()


def write_held(path: Path, held: Held) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(msgspec.json.encode(held))
    fresh.replace(path)
