"""What a node may promise to servers, as an operator writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cumulet.contracts.assignments import Wire
from cumulet.lib.numbers import whole_or_none

MOST = 2**31 - 1


@dataclass(frozen=True)
class Packets:
    """Thousands of packets a second."""

    together: int = 0
    egress: int = 0
    ingress: int = 0


class BadPromise(ValueError):
    """It cannot be read; the message names the setting and shows its form."""


def wires(texts: Sequence[str]) -> tuple[Wire, ...]:
    """Raises BadPromise."""
    found: dict[str, Wire] = {}
    for text in texts:
        name, _, rates = text.partition(":")
        egress, _, ingress = rates.partition(":")
        if not name or len(name) > 64 or name in found:
            raise _bad_wire(text)
        try:
            found[name] = Wire(physical_network=name, egress_kbps=_rate(egress), ingress_kbps=_rate(ingress))
        except ValueError as error:
            raise _bad_wire(text) from error
    return tuple(found.values())


def egress(texts: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """(physical network, kbit/s) of those that promise something to what goes out."""
    return tuple((wire.physical_network, wire.egress_kbps) for wire in wires(texts) if wire.egress_kbps)


def packets(text: str) -> Packets:
    """Raises BadPromise."""
    both, separate, ingress = text.partition(":")
    try:
        if separate:
            return Packets(egress=_rate(both), ingress=_rate(ingress))
        return Packets(together=_rate(both))
    except ValueError as error:
        raise BadPromise(
            f"packet_rate: {text!r} is none; give thousands of packets a second, such as 1000, or EGRESS:INGRESS"
        ) from error


def _rate(text: str) -> int:
    """Empty and 0: nothing is promised."""
    rate = whole_or_none(text or "0")
    if rate is None or not 0 <= rate <= MOST:
        raise ValueError(text)
    return rate


def _bad_wire(text: str) -> BadPromise:
    return BadPromise(
        f"bandwidths: {text!r} is none; give PHYSICAL_NETWORK:EGRESS:INGRESS in kbit/s, such as "
        "public:10000000:10000000, each network once"
    )
