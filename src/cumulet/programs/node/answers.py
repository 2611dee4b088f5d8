"""What a node answers when the cloud asks: about its machines, networks and volumes, and with their bytes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cumulet.contracts.backends import LOCAL
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.drivers.network.base import OffersMeters
from cumulet.node.asks import Answerer, SocketOf
from cumulet.node.passwords import FilePasswords
from cumulet.node.volumes.backends import Backends


def answers(
    hypervisor: QemuHypervisor, network: OffersMeters, backends: Backends, passwords: FilePasswords
) -> dict[str, Answerer]:
    async def console_log(parameters: Mapping[str, str]) -> bytes:
        return await hypervisor.console_log(parameters["machine"], int(parameters.get("limit", "0")) or 1 << 20)

    async def volumes_found(parameters: Mapping[str, str]) -> bytes:
        return msgspec.json.encode(await backends[parameters.get("backend") or LOCAL].found())

    async def diagnostics(parameters: Mapping[str, str]) -> bytes:
        return msgspec.json.encode(await hypervisor.diagnostics(parameters["machine"]))

    async def luggage(parameters: Mapping[str, str]) -> bytes:
        machine = parameters["machine"]
        found = await hypervisor.luggage(machine)
        return msgspec.json.encode(msgspec.structs.replace(found, password=passwords.read(machine)))

    async def meters(parameters: Mapping[str, str]) -> bytes:
        return msgspec.json.encode(await network.metered(parameters["router"]))

    async def password(parameters: Mapping[str, str]) -> bytes:
        return passwords.read(parameters["machine"])

    async def set_password(parameters: Mapping[str, str]) -> bytes:
        await hypervisor.set_password(parameters["machine"], parameters["user"], parameters["password"])
        return b""

    async def clear_password(parameters: Mapping[str, str]) -> bytes:
        passwords.clear(parameters["machine"])
        return b""

    return {
        "console_log": console_log,
        "diagnostics": diagnostics,
        "luggage": luggage,
        "volumes_found": volumes_found,
        "meters": meters,
        "password": password,
        "clear_password": clear_password,
        "set_password": set_password,
    }


def tunnels(hypervisor: QemuHypervisor) -> dict[str, SocketOf]:
    return {
        "vnc": hypervisor.vnc_socket,
        "serial": hypervisor.serial_socket,
        "memory": hypervisor.memory_socket,
        "disks": hypervisor.disks_socket,
    }
