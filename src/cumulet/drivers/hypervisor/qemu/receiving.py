"""The node to which a machine comes while it runs: an empty machine waits here for its memory and disks.

Both come over sockets that only the machine's new QEMU and this node's agent can open, and what comes is encrypted by
one QEMU for the other with the secret of the move. When all is here the machine still waits, for an order: until then
it is the old node's.
"""

from __future__ import annotations

import contextlib

import msgspec

from cumulet.contracts.machines import MachineFacts
from cumulet.contracts.moves import MoveFacts, Stage
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu import luggage, power, secrets
from cumulet.drivers.hypervisor.qemu.disks import own_disks
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.move_failed import MoveFailed
from cumulet.drivers.hypervisor.qemu.steps import facts_of
from cumulet.lib import process
from cumulet.lib.qmp import Refused

WAITING = "inmigrate"


async def receive(machine: Machine) -> MachineFacts:
    """The machine as far as it is here."""
    arrival = machine.journal.spec.arrival
    assert arrival is not None
    if machine.journal.arrived != arrival.move:
        await _empty(machine)
        await luggage.prepare(machine)
        await power.expect(machine)
        await _listen(machine, arrival.secret)
        await machine.remember(arrived=arrival.move)
    seen = await machine.look()
    move = MoveFacts(move=arrival.move, stage=Stage.READY if seen.status == WAITING else Stage.ARRIVED)
    facts = facts_of(machine.journal, seen, fulfilled=False)
    if seen.status is None:
        # Once is enough: whoever was sending has noticed, and the machine is where it was.
        raise MoveFailed(facts, move, "The machine ended while its memory came.", machine.last_words())
    if move.stage is Stage.ARRIVED:
        await _stop_listening(machine)
    return msgspec.structs.replace(facts, move=move)


async def _empty(machine: Machine) -> None:
    """What is here is of an earlier stay or an earlier attempt."""
    identity = await machine.find_process()
    if identity is not None:
        await process.kill(identity)
    machine.folder.memory.unlink(missing_ok=True)


async def _listen(machine: Machine, secret: str) -> None:
    sockets = machine.folder.sockets
    for left in (sockets.memory, sockets.disks):
        left.unlink(missing_ok=True)
    await secrets.give(machine, secret, server=True)
    await machine.ask("migrate-set-capabilities", {"capabilities": [{"capability": "events", "state": True}]})
    await machine.ask("migrate-set-parameters", {"tls-creds": secrets.ID})
    address = {"type": "unix", "data": {"path": str(sockets.disks)}}
    await machine.ask("nbd-server-start", {"addr": address, "tls-creds": secrets.ID})
    for disk in own_disks(machine.journal.spec):
        node = machine.disk(disk).node
        export = {"type": "nbd", "id": node, "node-name": node, "name": disk.id, "writable": True}
        await machine.ask("block-export-add", export)
    # Last, since whoever sees this socket may begin.
    await machine.ask("migrate-incoming", {"uri": f"unix:{sockets.memory}"})
    if (await machine.ask("query-status"))["status"] != WAITING:
        raise MachineFailed("The machine does not wait for its memory.", machine.last_words())


async def _stop_listening(machine: Machine) -> None:
    with contextlib.suppress(Refused):
        await machine.ask("nbd-server-stop")
    await secrets.take_back(machine)
