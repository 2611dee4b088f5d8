"""What a pretended machine tells of itself. Pure."""

from __future__ import annotations

from cumulet.contracts.assignments import Fault
from cumulet.contracts.machines import MachineFacts, Power
from cumulet.drivers.hypervisor.fake import mirrors
from cumulet.drivers.hypervisor.fake.world import ON, FakeMachine
from cumulet.lib.clock import SECOND


def facts(machine: FakeMachine, fault: Fault | None = None) -> MachineFacts:
    on = machine.power in (*ON, Power.SUSPENDED)
    connected = machine.running if on else machine.spec
    as_ordered = fault is None and machine.move is None and machine.power is machine.spec.wanted
    if fault is None and machine.power is Power.CRASHED:
        fault = Fault(message="The machine's process ended by itself.")
    return MachineFacts(
        id=machine.spec.id,
        power=machine.power,
        digest=machine.digest if as_ordered else "",
        disks=tuple(disk.id for disk in connected.disks),
        nics=tuple(nic.port_id for nic in connected.nics),
        hard_reboots=machine.hard_reboots,
        soft_reboots=machine.soft_reboots,
        rebuilds=machine.rebuilds,
        interrupts=machine.interrupts,
        rescued=bool(machine.rescue),
        mirrors=mirrors.facts(machine),
        started_at=machine.started_at,
        move=machine.move,
        fault=fault,
    )


def diagnostics(machine: FakeMachine, now: int) -> dict[str, object]:
    """What is told of a machine to those who look into it."""
    on = machine.power in ON
    spec, up = machine.running, now - machine.started_at
    written = round(machine.written)
    disk = {"read_bytes": 0, "read_requests": 0, "write_bytes": written, "write_requests": written >> 12}
    counts = {f"{way}_{what}": 0 for way in ("rx", "tx") for what in ("octets", "packets", "errors", "drop", "rate")}
    return {
        "state": {Power.STOPPED: "shutdown"}.get(machine.power, machine.power.value),
        "driver": "libvirt",
        "hypervisor": "fake",
        "hypervisor_os": "linux",
        "uptime": up // SECOND if on else 0,
        "config_drive": spec.config_drive,
        "num_cpus": spec.vcpus if on else 0,
        "num_nics": len(spec.nics) if on else 0,
        "num_disks": len(spec.disks) if on else 0,
        "cpu_details": [{"id": n, "time": up * 1000, "utilisation": 1} for n in range(spec.vcpus)] if on else [],
        "nic_details": [{"mac_address": nic.mac, **counts} for nic in spec.nics] if on else [],
        "disk_details": [{**disk, "errors_count": 0} for _ in spec.disks] if on else [],
        "memory_details": {"maximum": spec.memory_mib, "used": spec.memory_mib if on else 0},
    }
