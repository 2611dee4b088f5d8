"""From what was found to the row's facts, and the texts that a server's page shows of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.contracts.machines import MachineFacts, Power
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow, ServerRow, Wanted
from cumulet.services.network.public import NicView

OFF = (Power.STOPPED, Power.CRASHED)


def tell_facts(row: ServerRow, look: Look, now: int) -> None:
    """Put the facts of a look into the row as it is now."""
    ports = [look.ports[nic.port_id] for nic in look.nics if nic.port_id and nic.port_id in look.ports]
    row.addresses = json_of(addresses(ports))
    row.security_groups = json_of([{"name": name} for name in sorted({n for port in ports for n in port.groups})])
    row.volumes = json_of(volumes(look.disks))
    machine, held = look.machine, look.held.get(row.host)
    if machine is None or held is None or row.host != look.server.host:
        return
    _tell_machine(row, machine, now)
    in_force = held.observed == held.generation
    if machine.power == Power.RUNNING and in_force:
        row.ran = held.generation
    elif machine.power in OFF and in_force and row.ran == held.generation and _wants_to_run(row, look):
        # The owner's guest was told to shut down from within, or died. That is respected: nobody starts it again.
        row.wanted = Wanted.STOPPED
        row.generation += 1
        row.wished_at = now


def _wants_to_run(row: ServerRow, look: Look) -> bool:
    """Its owner wants it running, and has not said anything new since we looked."""
    settled = row.faulted != row.generation and not row.move and not row.offloaded
    return row.wanted == Wanted.RUNNING and row.generation == look.server.generation and settled


def _tell_machine(row: ServerRow, machine: MachineFacts, now: int) -> None:
    row.power = machine.power
    row.hard_reboots_met = machine.hard_reboots
    row.soft_reboots_met = machine.soft_reboots
    row.rebuilds_met = machine.rebuilds
    row.interrupts_met = machine.interrupts
    row.rescued = machine.rescued
    runs = machine.power in (Power.RUNNING, Power.PAUSED)
    # Whose owner turned off a server that could not be built has it built, once it can be, and left off.
    if runs or (machine.power == Power.STOPPED and row.wanted == Wanted.STOPPED):
        row.launched_at = row.launched_at or now
    if runs and row.wanted != Wanted.SHELVED:
        row.offloaded = False


def addresses(ports: Sequence[NicView]) -> dict[str, list[dict[str, Any]]]:
    """`{network name: [address, …]}`, floating ones behind the fixed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for port in ports:
        shown = found.setdefault(port.network_name, [])
        for address in port.addresses:
            shown.append(_address(address.ip, address.version, "fixed", port.mac))
        for _, public in port.floating:
            shown.append(_address(public, 6 if ":" in public else 4, "floating", port.mac))
    return found


def _address(ip: str, version: int, kind: str, mac: str) -> dict[str, Any]:
    return {"version": version, "addr": ip, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac}


def volumes(disks: Sequence[DiskRow]) -> list[dict[str, Any]]:
    return [
        {"id": disk.volume_id, "delete_on_termination": disk.delete_on_termination} for disk in disks if not disk.local
    ]


def json_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()
