"""Which of the able hosts takes a server best: the greatest sum of weights, each between 0 and 1, times a factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cumulet.services.compute.placing.hosts import Host, Request

Weigher = Callable[[Host, Request], float]


def ram(host: Host, request: Request) -> float:
    return host.free.get("MEMORY_MB", 0)


def cpu(host: Host, request: Request) -> float:
    return host.free.get("VCPU", 0)


def disk(host: Host, request: Request) -> float:
    return host.free.get("DISK_GB", 0)


def io_ops(host: Host, request: Request) -> float:
    """Hosts busy with building others come later."""
    return -host.building


def soft_affinity(host: Host, request: Request) -> float:
    return len(request.group_members & host.servers) if request.policy == "soft-affinity" else 0


def soft_anti_affinity(host: Host, request: Request) -> float:
    return -len(request.group_members & host.servers) if request.policy == "soft-anti-affinity" else 0


def volumes(host: Host, request: Request) -> float:
    """A volume costs least where it lies."""
    return request.volumes.get(host.name, 0)


WEIGHERS: tuple[tuple[str, Weigher, float], ...] = (
    ("RAMWeigher", ram, 1.0),
    ("CPUWeigher", cpu, 1.0),
    ("DiskWeigher", disk, 1.0),
    ("IoOpsWeigher", io_ops, 1.0),
    ("ServerGroupSoftAffinityWeigher", soft_affinity, 10.0),
    ("ServerGroupSoftAntiAffinityWeigher", soft_anti_affinity, 10.0),
    ("VolumeLocalityWeigher", volumes, 10.0),
)


def ranked(hosts: Sequence[Host], request: Request) -> list[Host]:
    """The best first; equals by the number of their servers, then by name."""
    totals = {host.name: 0.0 for host in hosts}
    for _, weigh, factor in WEIGHERS:
        weights = {host.name: weigh(host, request) for host in hosts}
        least, most = min(weights.values(), default=0), max(weights.values(), default=0)
        if most > least:
            for name, weight in weights.items():
                totals[name] += factor * (weight - least) / (most - least)
    return sorted(hosts, key=lambda host: (-totals[host.name], host.count, host.name))
