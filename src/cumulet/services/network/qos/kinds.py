"""The kinds of rules: what each says, in which directions, and within which bounds. Everything else is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.wire import Enum, Int
from cumulet.services.network.facets import Facet

BANDWIDTH, DSCP, PACKETS = "bandwidth_limit", "dscp_marking", "packet_rate_limit"
LEAST_BANDWIDTH, LEAST_PACKETS = "minimum_bandwidth", "minimum_packet_rate"
GUARANTEES = {LEAST_BANDWIDTH: BANDWIDTH, LEAST_PACKETS: PACKETS}
"""What a rule promises, and the kind that limits the same."""
ANY = "any"
"""Both directions counted together: what a node with one processor for both can promise."""
MARKS = (0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56)
MOST = 2**31 - 1


def _mark(value: int) -> int:
    if value not in MARKS:
        raise ValueError(f"'{value}' is not in {list(MARKS)}")
    return value


@dataclass(frozen=True)
class Kind:
    """One kind of rule."""

    name: str
    rate: str
    """Its number, as clients call it."""
    burst: str = ""
    directions: tuple[str, ...] = ("ingress", "egress")
    values: tuple[int, ...] = ()
    """The only ones that its number may have; empty: any up to MOST."""
    alias: str = "qos"
    """The extension by which clients find it, and by which they find its direction."""
    direction_alias: str = ""
    alone: str = "qos-rules-alias"
    """The one by which they find it without its policy; empty: not so."""
    roots: tuple[tuple[str, str], ...] = (("/qos/policies", "_"),)
    """Before its policy's id, and between the words after it."""

    @property
    def facets(self) -> list[Facet]:
        number = Int(0, 56).also(_mark) if self.values else Int(0, MOST)
        fields = [Field(self.rate, number, create=REQUIRED, update=OPTIONAL, source="rate")]
        if self.burst:
            fields.append(Field(self.burst, Int(0, MOST), create=0, update=OPTIONAL, source="burst"))
        found = [Facet(self.alias, "Rules of quality of service", tuple(fields))]
        if self.directions:
            direction = Field("direction", Enum(*self.directions), create="egress", update=OPTIONAL)
            found.append(Facet(self.direction_alias or self.alias, "Rules for both directions", (direction,)))
        return found

    def shown(self, rate: int, burst: int, direction: str) -> dict[str, Any]:
        """What such a rule says."""
        found: dict[str, Any] = {self.rate: rate}
        if self.burst:
            found[self.burst] = burst
        return found | {"direction": direction} if self.directions else found

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """What may be said of it."""
        span = {"start": 0, "end": MOST}
        own = [("range", name, span) for name in (self.rate, self.burst) if name]
        if self.values:
            own = [("choices", self.rate, list(self.values))]  # type: ignore[list-item]
        if self.directions:
            own.append(("choices", "direction", list(self.directions)))  # type: ignore[arg-type]
        return [{"parameter_name": name, "parameter_type": kind, "parameter_values": of} for kind, name, of in own]


# Clients look for limits of packets below the policies, the real service has them where it has the policies' tags; and
# for guarantees of packets with lines below, where it has hyphens.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(BANDWIDTH, "max_kbps", "max_burst_kbps", direction_alias="qos-bw-limit-direction"),
        Kind(DSCP, "dscp_mark", directions=(), values=MARKS),
        Kind(
            PACKETS,
            "max_kpps",
            "max_burst_kpps",
            alias="qos-pps",
            alone="",
            roots=(("/qos/policies", "_"), ("/policies", "_")),
        ),
        Kind(LEAST_BANDWIDTH, "min_kbps", direction_alias="qos-bw-minimum-ingress"),
        Kind(
            LEAST_PACKETS,
            "min_kpps",
            directions=("ingress", "egress", ANY),
            alias="qos-pps-minimum",
            alone="qos-pps-minimum-rule-alias",
            roots=(("/qos/policies", "_"), ("/qos/policies", "-")),
        ),
    )
}
