"""What every network driver can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import GuestData
from cumulet.contracts.networks import ElementFacts, Fabric, Metered


class Guests(Protocol):
    """Who asks the metadata service, and what may he know."""

    def by_address(self, network_id: str, address: str) -> tuple[str, GuestData] | None:
        """(machine id, data) of the guest whose port in this network has this address.

        An IPv6 guest asks from its link-local address, the one formed of the port's MAC.
        """
        ...


class Network(Protocol):
    """The networking of one node. It is always given the whole of what should be, and compares that with what is."""

    name: str

    async def apply(self, fabric: Fabric) -> Mapping[Kind, Sequence[ElementFacts]]:
        """Make the node's networking as wished. What fails is said in its facts and does not stop the rest.

        Elements that are not in `fabric` are left alone: only `remove` destroys.
        """
        ...

    async def remove(self, kind: Kind, key: str) -> None:
        """Destroy one network, port, group or router. Removing what is not there is no error."""
        ...

    async def found(self) -> Mapping[Kind, Sequence[str]]:
        """The ids of everything that exists here, known or not."""
        ...

    def tap(self, port_id: str) -> str:
        """The name of the interface that a machine opens for this port."""
        ...


@dataclass(frozen=True, slots=True)
class MetadataPlace:
    """Where guests of one network ask the metadata service: one listening socket."""

    network_id: str
    namespace: str
    """Name of the network namespace to listen in."""
    device: str
    """Only what comes in by this interface is answered, so that the asker's network is certain."""
    address: str
    """Empty: any IPv4 address of that namespace."""
    port: int


class OffersMetadata(Protocol):
    """A network driver whose guests can ask a metadata service."""

    def metadata_places(self) -> Sequence[MetadataPlace]:
        """Every place that exists now; it changes with `apply` and `remove`."""
        ...


class OffersMeters(Protocol):
    """A network driver whose routers count what passes their gateways."""

    async def metered(self, router_id: str) -> Sequence[Metered]:
        """What the counters of a router show now. Raises LookupError for a router that is not here."""
        ...


class HoldsTogether(Protocol):
    """A network driver some of whose routers other nodes hold too."""

    async def turned(self) -> None:
        """Until such a router begins to run here, or ceases to; what `apply` says of it is then another."""
        ...
