"""The host's interfaces that lead to physical networks, as the node's namespace has them.

Each is seen there through a second interface above it (macvlan, passthru), which takes all that arrives and may be a
bridge's port. The host's own stays where it is: it outlives the namespace, and nothing of the host has to be put back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cumulet.drivers.network.linux.commands import Commands


def end_of(interface: str) -> str:
    """What an interface of the host is called in the node's namespace. Pure."""
    return "wire" + hashlib.sha256(interface.encode()).hexdigest()[:8]


def ends_of(wires: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(physical network, interface in the node's namespace). Pure."""
    return tuple((physical, end_of(interface)) for physical, interface in sorted(wires.items()))


async def lay(commands: Commands, namespace: str, wires: Mapping[str, str]) -> None:
    """Let the namespace have them. Raises `ProcessFailed` for one that the host does not have, or that it uses up."""
    present = await commands.links(namespace)
    for interface in sorted(set(wires.values())):
        end = end_of(interface)
        await commands.ip(None, [f"link set dev {interface} up"])
        if end not in present:
            make = f"link add link {interface} name {end} netns {namespace} type macvlan mode passthru"
            await commands.ip(None, [make])
