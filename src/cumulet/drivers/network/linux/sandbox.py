"""The namespace that holds a node's networking: made, removed, and the same without being root.

Everything of a node lives in namespaces whose names begin with its own: isolated from the host's firewall, several
nodes on one machine, gone without a trace. Without root the same is made inside one user namespace (`rootless`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cumulet.drivers.network.linux.commands import Commands, add_namespaces, delete_namespace, namespaces
from cumulet.drivers.network.linux.dnsmasq import Dnsmasq
from cumulet.drivers.network.linux.keepalived import Keepalived
from cumulet.drivers.network.linux.names import checked_node, namespace_owner
from cumulet.drivers.network.linux.residents import Residents

_SETTINGS = (
    ("ipv4/ip_forward", "0"),
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    # Bridges and their ports speak for guests, never for themselves.
    ("ipv6/conf/default/addr_gen_mode", "1"),
)


async def ensure_namespace(commands: Commands, name: str) -> None:
    """The node's namespace, ready for bridges. What is in it already is left alone."""
    if checked_node(name) not in namespaces():
        await add_namespaces(commands, [name])
    await commands.set_kernel(name, _SETTINGS)
    await commands.ip(name, ["link set lo up"])


async def remove_namespace(commands: Commands, name: str, folder: Path) -> None:
    """The node's namespace with all its networks and routers, and what ran for them. `folder` is the driver's."""
    for residents in (Residents(folder / "dnsmasq", Dnsmasq), Residents(folder / "keepalived", Keepalived)):
        for key in residents.found():
            await residents.stop(key, name)
    for namespace in namespaces():
        if namespace_owner(checked_node(name), namespace) is not None:
            await delete_namespace(commands, namespace)
    await delete_namespace(commands, name)
    (folder / "held.json").unlink(missing_ok=True)


def rootless(argv: Sequence[str]) -> list[str]:
    """The argument list that runs a program as root of a world of its own: users, networks, mounts, processes. Pure.

    When it ends, everything in that world ends. It begins with `prepare_rootless`.
    """
    return [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        *argv,
    ]


def is_rootless() -> bool:
    """Whether we are root only by name, in a user namespace."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


async def prepare_rootless(commands: Commands) -> None:
    """Make the world of `rootless` ready: names of namespaces need a /run of our own."""
    if is_rootless() and not os.access("/run/netns", os.W_OK):
        await commands.other(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"])
        Path("/run/netns").mkdir()
    await commands.other(["ip", "link", "set", "lo", "up"])
