"""What other rooms say to the network service, and what they are told."""

from __future__ import annotations

import msgspec

from cumulet.services.network.qos.requests import ResourceRequest


class NicRequest(msgspec.Struct, kw_only=True):
    """How a server is to be connected: to a network, or by a port that its user made."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""
    tag: str = ""
    asks: bool = False
    """It will ask for shares of what its node can promise."""


class AddressView(msgspec.Struct, kw_only=True):
    """A fixed address with all that a guest is told of its subnet."""

    ip: str
    version: int
    subnet_id: str
    cidr: str
    gateway: str
    dns: list[str]
    routes: list[tuple[str, str]]
    dhcp: bool


class NicView(msgspec.Struct, kw_only=True):
    """A server's port, as compute shows and orders it."""

    port_id: str
    network_id: str
    network_name: str
    mac: str
    addresses: list[AddressView]
    floating: list[tuple[str, str]]
    """(fixed, floating)."""
    host: str
    up: bool
    """Wired on that host."""
    prepared: list[str]
    """Hosts on which it is made too."""
    status: str
    groups: list[str]
    """Names."""
    mtu: int
    preserve: bool
    """It was given by the user and outlives the server."""
    vnic_type: str
    tag: str
    request: ResourceRequest | None = None
    """What it asks of its node."""
    allocation: dict[str, str] = {}
    """Which provider of that node gives it what: group of the request → provider."""


class MeterView(msgspec.Struct, kw_only=True):
    """What a label has counted at one router since its counter was made there. It begins again on another node."""

    label_id: str
    label_name: str
    project_id: str
    """The label's owner."""
    router_id: str
    host: str
    packets: int
    bytes: int
