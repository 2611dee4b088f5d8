"""Who asks the metadata service: from a network and an address to the guest that has them."""

from __future__ import annotations

import ipaddress

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import GuestData, MachineSpec
from cumulet.contracts.networks import PortSpec
from cumulet.node.orders import Orders


class AssignedGuests:
    """Looks in the orders: an address is that of an anti-spoofed port, a port is that of a machine."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def by_address(self, network_id: str, address: str) -> tuple[str, GuestData] | None:
        """(machine id, what that guest may know), or None for an address that no guest has."""
        for order in self._orders.all(Kind.PORT):
            port = msgspec.json.decode(order.spec, type=PortSpec)
            if order.gone or port.network_id != network_id:
                continue
            if address == _link_local(port.mac) or any(fixed.ip == address for fixed in port.addresses):
                machine = self._orders.get(Kind.MACHINE, port.device_id)
                if machine is None or machine.gone:
                    return None
                return port.device_id, msgspec.json.decode(machine.spec, type=MachineSpec).guest
        return None


def _link_local(mac: str) -> str:
    """The IPv6 address that a card gives itself: guests without another one ask from it."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))
