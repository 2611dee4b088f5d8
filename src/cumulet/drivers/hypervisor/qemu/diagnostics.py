"""How a machine fares, in the fields of the compute API's diagnostics."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cumulet.contracts.machines import MachineSpec, Power
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.qemu_img import MIB
from cumulet.drivers.hypervisor.qemu.steps import power_of
from cumulet.lib import process
from cumulet.lib.clock import SECOND
from cumulet.lib.process import ProcessFailed

_STATES = {Power.RUNNING: "running", Power.PAUSED: "paused", Power.SUSPENDED: "suspended", Power.CRASHED: "crashed"}
_NANOSECONDS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


async def diagnostics(machine: Machine) -> dict[str, object]:
    seen = await machine.look()
    spec = machine.journal.running or machine.journal.spec
    alive = seen.status is not None
    blocks = await machine.ask("query-blockstats") if alive else []
    processors = await machine.ask("query-cpus-fast") if alive else []
    balloon = await machine.ask("query-balloon") if alive else {"actual": 0}
    pid = machine.journal.process.pid if alive and machine.journal.process else 0
    uptime = (machine.host.clock.now() - machine.journal.started_at) // SECOND if alive else 0
    return {
        "state": _STATES.get(power_of(machine.journal, seen), "shutdown"),
        # The API knows the names of five drivers, and clients check; this is the one whose machines are like ours.
        "driver": "libvirt",
        "hypervisor": "kvm" if machine.host.accelerator == "kvm" else "qemu",
        "hypervisor_os": "linux",
        "uptime": max(0, uptime),
        "config_drive": spec.config_drive,
        "num_cpus": len(processors),
        "num_nics": len(spec.nics) if alive else 0,
        "num_disks": len(blocks),
        "cpu_details": [_processor(pid, cpu) for cpu in processors],
        "nic_details": [await _nic(machine, spec, number) for number in range(len(spec.nics))] if alive else [],
        "disk_details": [_disk(block["stats"]) for block in blocks],
        "memory_details": {"maximum": spec.memory_mib, "used": int(balloon["actual"]) // MIB},
    }


def _processor(pid: int, cpu: dict[str, Any]) -> dict[str, object]:
    """A processor of the guest is a thread of its process."""
    try:
        stat = Path(f"/proc/{pid}/task/{int(cpu['thread-id'])}/stat").read_bytes()
    except OSError:
        return {"id": cpu["cpu-index"], "time": None, "utilisation": None}
    fields = stat[stat.rindex(b")") + 2 :].split()
    ticks = int(fields[11]) + int(fields[12])
    return {"id": cpu["cpu-index"], "time": ticks * _NANOSECONDS_PER_TICK, "utilisation": None}


def _disk(stats: dict[str, Any]) -> dict[str, object]:
    return {
        "read_bytes": stats["rd_bytes"],
        "read_requests": stats["rd_operations"],
        "write_bytes": stats["wr_bytes"],
        "write_requests": stats["wr_operations"],
        "errors_count": stats["failed_rd_operations"] + stats["failed_wr_operations"],
    }


async def _nic(machine: Machine, spec: MachineSpec, number: int) -> dict[str, object]:
    """What the tap received was sent by the guest, and the other way round."""
    nic = spec.nics[number]
    argv = ["ip", "-json", "-stats", "link", "show", "dev", machine.host.tap(nic.port_id)]
    try:
        done = await process.run(argv, timeout=5, net_namespace=machine.host.net_namespace)
        counted = json.loads(done.stdout)[0]["stats64"]
    except (ProcessFailed, ValueError, LookupError):
        counted = {"rx": {}, "tx": {}}
    details: dict[str, object] = {"mac_address": nic.mac}
    for ours, guests in (("tx", "rx"), ("rx", "tx")):
        for name, field in (("octets", "bytes"), ("packets", "packets"), ("errors", "errors"), ("drop", "dropped")):
            details[f"{guests}_{name}"] = counted[ours].get(field)
        details[f"{guests}_rate"] = None
    return details
