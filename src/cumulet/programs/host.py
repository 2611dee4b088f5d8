"""What this host is, for the API that admits its node and for the node itself. Loads no driver."""

from __future__ import annotations

import hashlib
import os
import socket

from cumulet.contracts.assignments import NodeFacts
from cumulet.programs import promises
from cumulet.programs.settings import Settings


def name_of(settings: Settings) -> str:
    """The node's name in the cloud."""
    return settings.node_name or socket.gethostname().partition(".")[0] or "node"


def namespace_of(settings: Settings) -> str:
    """The network namespace of this node; several clouds and nodes on one host have different ones."""
    digest = hashlib.sha256(f"{settings.state}:{name_of(settings)}".encode()).hexdigest()
    return f"cml{digest[:5]}"


def own_facts(settings: Settings, accelerator: str = "", hypervisor_version: int = 0) -> NodeFacts:
    """What this host says of itself."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    disk = os.statvfs("/")
    packets = promises.packets(settings.packet_rate)
    return NodeFacts(
        name=name_of(settings),
        hypervisor="QEMU",
        accelerator=accelerator,
        hypervisor_version=hypervisor_version,
        vcpus=os.cpu_count() or 1,
        memory_mib=memory,
        disk_gib=disk.f_blocks * disk.f_frsize // 2**30,
        tunnel_address=settings.tunnel_address,
        physical_networks=tuple(sorted(settings.wires)),
        address=settings.node_address or f"unix:{settings.state / 'run' / 'node.sock'}",
        wires=promises.wires(settings.bandwidths),
        kpps=packets.together,
        egress_kpps=packets.egress,
        ingress_kpps=packets.ingress,
    )
