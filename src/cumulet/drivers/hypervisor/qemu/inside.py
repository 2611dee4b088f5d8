"""What is done inside a guest, by its agent."""

from __future__ import annotations

import base64

from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.journal import socket_at
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.lib.guest_agent import AgentRefused, AgentSilent, tell


async def set_password(machine: Machine, user: str, password: str) -> None:
    running = machine.journal.running
    if running is None or await machine.find_process() is None:
        raise MachineFailed("the machine is off")
    if not running.guest_agent:
        raise MachineFailed("the machine has no way to an agent of its guest; it gets one with its next start")
    arguments = {
        "username": user,
        "password": base64.b64encode(password.encode()).decode(),
        "crypted": False,
    }
    try:
        await tell(socket_at(machine.folder.sockets.agent), "guest-set-user-password", arguments)
    except (AgentSilent, FileNotFoundError) as error:
        raise MachineFailed("the agent of the guest does not answer; it may still be starting", str(error)) from error
    except AgentRefused as error:
        raise MachineFailed(f"the agent of the guest refused: {error}") from error
