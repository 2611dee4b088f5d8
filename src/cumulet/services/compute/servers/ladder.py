"""The rungs of a server: a place claimed, ports wired, disks made anew and attached, the machine as ordered, all told.

Read downwards for a server that should live, upwards for one that should go. Each act may run twice.
"""

from __future__ import annotations

from functools import partial

import msgspec

from cumulet.contracts.assignments import NOT_YET, Fault, Kind
from cumulet.core.db import Transaction
from cumulet.core.errors import CloudError, Unavailable
from cumulet.core.reconcile import Again, Failed, Goal, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.block_storage.public import VolumeView
from cumulet.services.compute.history import finish_action
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import detaching
from cumulet.services.compute.servers.look import Look, look_at, resources_of
from cumulet.services.compute.servers.place import NO_VALID_HOST, claim_best, elders_wait, request_for
from cumulet.services.compute.servers.reimaging import is_reimaged, reimage
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow
from cumulet.services.compute.servers.store import note
from cumulet.services.network.public import NicRequest, NicView

DEVICE_OWNER = "compute:"
WIRING_SECONDS = 300
ATTACHING_SECONDS = 1800
"""A volume may have to be filled from an image first."""
POWERING_SECONDS = 1800
LOOK_AGAIN, LOOK_AT_LEAST = 2.0, 30.0
TRY_AGAIN = "Reboot it hard to try again; an administrator finds more in the log of its host."


def root_is_volume(look: Look) -> bool:
    return not look.server.image_ref or any(disk.boot_index == 0 and not disk.local for disk in look.kept)


class Ladder:
    """The goals of one room's servers."""

    def __init__(self, room: Compute) -> None:
        self.room = room
        self.goals = (
            Goal[Look]("claimed", self.is_claimed, lambda look: bool(look.claims), self.claim_host, self.free_claim),
            Goal[Look]("wired", self.is_wired, lambda look: bool(look.nics), self.bind_ports, self.unplug),
            Goal[Look]("reimaged", is_reimaged, lambda look: False, partial(reimage, self), self.disconnect),
            Goal[Look]("attached", self.is_attached, lambda look: bool(look.disks), self.connect, self.disconnect),
            Goal[Look]("powered", self.is_powered, self.has_machine, self.assign, self.withdraw),
            Goal[Look]("told", self.is_told, lambda look: False, self.tell_volumes, self.withdraw),
            Goal[Look]("allotted", self.is_allotted, lambda look: False, self.allot_anew, self.withdraw),
            Goal[Look]("trimmed", lambda look: not look.dropped, lambda look: False, self.trim, self.withdraw),
        )

    # ---- claimed ---------------------------------------------------------------------------------------------------

    @staticmethod
    def is_claimed(look: Look) -> bool:
        host = look.server.host
        return bool(host) and host in look.claims and (bool(look.server.launched_at) or holds_its_shares(look))

    async def claim_host(self, look: Look) -> Outcome:
        server = look.server
        if server.host and server.host in look.claims:
            await self.allot(server)  # what its ports ask for changed before it ran
            return Again()
        wanted = resources_of(look.flavor, root_is_volume=root_is_volume(look))
        if not server.host and look.claims:
            # An earlier run claimed this place and ended before it could write that down.
            host = sorted(look.claims)[0]
            zone = look.nodes[host].zone if host in look.nodes else ""
            await note(self.room, server.id, lambda row: placed(row, host, zone))
            return Again()
        if await elders_wait(self.room, server):
            return Again(LOOK_AGAIN, "older servers of its group are placed first")
        near = await self.nodes_of_volumes(look)
        if near is None:
            return self.waiting(look, ATTACHING_SECONDS, "its volumes are not made", "Block Device Mapping is Invalid")
        only = {name for name in (server.host or server.host_wanted, *near) if name}
        if len(only) > 1:
            apart = "Its volumes lie on different hosts; migrate one of them to the other's."
            return Failed(Fault(message=NO_VALID_HOST + apart, code=500))
        avoid = look.lingers_on
        request = await request_for(
            self.room, server, look.flavor, wanted, host="".join(only), avoid=avoid, disks=look.kept
        )
        found = await claim_best(self.room, server, request, look.asks_at(""))
        if isinstance(found, Fault):
            leaving = any(map(look.alive, avoid))
            return Again(LOOK_AGAIN, "a node lets go of it first") if leaving else Failed(found)
        name, zone = found
        await note(self.room, server.id, lambda row: placed(row, name, zone))
        return Again()

    async def nodes_of_volumes(self, look: Look) -> set[str] | None:
        """Where its volumes are, those that are to be made included; None: one is not placed yet."""
        found: set[str] = set()
        for disk in look.kept:
            if not disk.local and not disk.node and disk.source != "volume":
                volume = await self.make_volume(look.server, disk)
                if volume.status == "creating":
                    return None
                disk.node = volume.node
                await self.room.database.write(
                    lambda tx, disk=disk: tx.update(DiskRow, {"id": disk.id}, node=disk.node)  # type: ignore[misc]
                )
            found.add(disk.node)
        return found - {""}

    async def make_volume(self, server: ServerRow, disk: DiskRow) -> VolumeView:
        """The volume that is made for this server, as it is now."""
        volume = await self.room.volumes.create(
            server.project_id,
            server.user_id,
            disk.volume_id,
            disk.size,
            image_id=disk.source_id if disk.source == "image" else "",
            snapshot_id=disk.source_id if disk.source == "snapshot" else "",
            type=disk.volume_type,
        )
        if volume.status == "error":
            raise VolumeNotMade(f"Volume {disk.volume_id} did not finish being created: its status is error.")
        return volume

    async def free_claim(self, look: Look) -> Outcome:
        if look.move is not None:
            await self.room.placement.release(look.move.id)
        await self.room.placement.release(look.server.id)
        return Again()

    # ---- wired -----------------------------------------------------------------------------------------------------

    @staticmethod
    def is_wired(look: Look) -> bool:
        host = look.server.host
        for nic in look.cards:
            port = look.ports.get(nic.port_id or "")
            if port is None or port.host != host or not port.up:
                return False
        return True

    async def bind_ports(self, look: Look) -> Outcome:
        server = look.server
        for nic in look.cards:
            if nic.port_id is None:
                try:
                    await self.plug(server, nic)
                except SharesTaken as error:
                    if not server.launched_at:
                        raise
                    await self.refuse(server, nic, error.message)
            elif nic.port_id not in look.ports:
                # Its port was deleted by its owner; the card goes with it.
                await self.forget(nic)
            elif look.ports[nic.port_id].host != server.host:
                await self.bind(server, look.ports[nic.port_id])
        return self.waiting(look, WIRING_SECONDS, "its ports are not up yet", "Virtual Interface creation failed")

    async def plug(self, server: ServerRow, nic: NicRow) -> str:
        """The port of a card, made or adopted once."""
        zone = server.zone or server.pinned_zone
        groups: list[str] = msgspec.json.decode(server.groups)
        port = await self.room.networks.plug(
            server.id,
            f"{DEVICE_OWNER}{zone or 'nova'}",
            server.project_id,
            NicRequest(network_id=nic.network_id, port_id=nic.asked_port, fixed_ip=nic.fixed_ip, tag=nic.tag),
            key=nic.id,
            groups=groups,
            hostname=server.hostname,
            zone=zone,
        )
        await self.room.database.write(lambda tx: tx.update(NicRow, {"id": nic.id}, port_id=port.port_id))
        if server.host:
            try:
                await self.bind(server, port)
            except SharesTaken:
                await self.room.networks.unplug(server.id, port.port_id)
                raise
        return port.port_id

    async def bind(self, server: ServerRow, port: NicView) -> None:
        """Give the port to the server's host, by whose providers it is given what it asks for."""
        shares: dict[str, str] = {}
        if port.request is not None:
            wanted = {group.id for group in port.request.request_groups}
            shares = {id: given for id, given in (await self.allot(server)).items() if id in wanted}
            if set(shares) != wanted:
                raise SharesTaken(f"Port {port.port_id} is not the server's any more.")
        await self.room.networks.bind(port.port_id, server.host, shares)

    async def allot(self, server: ServerRow) -> dict[str, str]:
        """Hold what its ports ask for at this moment: which provider gives what. Raises SharesTaken."""
        look = await look_at(self.room, server.id)
        if look is None:
            return {}
        given = await self.room.placement.serve(
            server.id,
            server.host,
            look.asks_at(server.host),
            project_id=server.project_id,
            user_id=server.user_id,
        )
        if given is None:
            raise SharesTaken(
                f"{NO_VALID_HOST}Failed to allocate additional resources for the ports of instance {server.id}: its "
                "host cannot promise what they ask for."
            )
        return given

    @staticmethod
    def is_allotted(look: Look) -> bool:
        return holds_its_shares(look)

    async def allot_anew(self, look: Look) -> Outcome:
        """Give back what a port had that is no more its own. A promise that cannot be kept ends, and is not shown."""
        try:
            await self.allot(look.server)
        except SharesTaken:
            for port in look.ports.values():
                await self.room.networks.allot(port.port_id, {})
        return Again()

    async def forget(self, row: NicRow | DiskRow) -> None:
        await self.room.database.write(lambda tx: tx.delete(type(row), id=row.id))

    async def unplug(self, look: Look) -> Outcome:
        for nic in look.nics:
            if nic.port_id:
                await self.room.networks.unplug(look.server.id, nic.port_id)
            await self.forget(nic)
        # What was made under a key whose card was never written down.
        for port_id in look.ports:
            await self.room.networks.unplug(look.server.id, port_id)
        return Again()

    # ---- attached --------------------------------------------------------------------------------------------------

    @staticmethod
    def is_attached(look: Look) -> bool:
        return all(disk.connection for disk in look.kept if not disk.local)

    async def connect(self, look: Look) -> Outcome:
        server = look.server
        for disk in look.kept:
            if disk.local or disk.connection:
                continue
            try:
                if not disk.reserved and not await self.reserve(server, disk):
                    continue
                connection = await self.room.volumes.connect(disk.id, server.host, f"/dev/{disk.device}")
            except Unavailable:
                raise
            except CloudError as error:
                if not server.met:
                    raise
                await self.refuse(server, disk, error.message)
                return Again()
            if connection is not None:
                text = msgspec.json.encode(connection).decode()
                await self.room.database.write(
                    lambda tx, disk=disk, text=text: tx.update(DiskRow, {"id": disk.id}, connection=text)  # type: ignore[misc]
                )
        return self.waiting(look, ATTACHING_SECONDS, "its volumes are not ready", "Block Device Mapping is Invalid")

    async def refuse(self, server: ServerRow, row: DiskRow | NicRow, reason: str) -> None:
        """A server that has run stays as it is when one more volume or card cannot be had: the wish for it ends."""
        verb = "attach_volume" if isinstance(row, DiskRow) else "attach_interface"

        async def write(tx: Transaction) -> None:
            await tx.update(type(row), {"id": row.id}, wanted="gone")
            await finish_action(tx, server.id, verb, self.room.clock.now(), error=reason)

        await self.room.database.write(write)

    async def reserve(self, server: ServerRow, disk: DiskRow) -> bool:
        """Hold the volume for this server, making it first if it is to be made. False: not ready yet."""
        if disk.source != "volume":
            volume = await self.make_volume(server, disk)
            if volume.status not in ("available", "reserved", "attaching", "in-use"):
                return False
        await self.room.volumes.reserve(disk.volume_id, server.id, disk.id)
        await self.room.database.write(lambda tx: tx.update(DiskRow, {"id": disk.id}, reserved=True))
        return True

    async def disconnect(self, look: Look) -> Outcome:
        for disk in look.disks:
            await self.let_go(disk, delete=disk.delete_on_termination)
        return Again()

    async def let_go(self, disk: DiskRow, *, delete: bool) -> None:
        """The volume is free again, or deleted; the disk is forgotten."""
        if not disk.local:
            if disk.reserved or disk.source == "volume":
                await self.room.volumes.disconnect(disk.id)
                await self.room.volumes.release(disk.id)
            if delete:
                await self.room.volumes.delete(disk.volume_id)
        await self.forget(disk)

    # ---- powered ---------------------------------------------------------------------------------------------------

    @staticmethod
    def is_powered(look: Look) -> bool:
        return look.machine is not None and look.machine.digest == look.digest

    @staticmethod
    def has_machine(look: Look) -> bool:
        """Some node has it or may have it. What a dead node has is withdrawn, and is not waited for."""
        return any(
            not held.acknowledged_gone and not (held.gone and not look.alive(held.node)) for held in look.held.values()
        )

    async def assign(self, look: Look) -> Outcome:
        server = look.server
        await self.room.fleet.assign(server.host, Kind.MACHINE, server.id, look.spec, server.generation)
        held = look.held.get(server.host)
        machine = look.machine
        spoke = held is not None and held.observed == held.generation and held.observed >= server.generation
        if machine is not None and spoke and machine.fault is not None:
            if machine.fault.code == NOT_YET:
                return await detaching.wait_for_guest(self.room, look, machine, machine.fault)
            return Failed(machine.fault)
        return self.waiting(look, POWERING_SECONDS, "its node has not reported", "The node did not obey in time")

    async def withdraw(self, look: Look) -> Outcome:
        for held in look.held.values():
            if not held.gone:
                await self.room.fleet.withdraw(held.node, Kind.MACHINE, look.server.id)
        return Again(LOOK_AGAIN, "its machine is being removed")

    # ---- told, trimmed -----------------------------------------------------------------------------------------------

    @staticmethod
    def is_told(look: Look) -> bool:
        return all(disk.connected or disk.local for disk in look.kept) and all(nic.connected for nic in look.cards)

    async def tell_volumes(self, look: Look) -> Outcome:
        for disk in look.kept:
            if not disk.local and not disk.connected:
                await self.room.volumes.connected(disk.id)

        async def write(tx: Transaction) -> None:
            await tx.update(DiskRow, {"id": [disk.id for disk in look.kept]}, connected=True)
            await tx.update(NicRow, {"id": [nic.id for nic in look.cards]}, connected=True)

        await self.room.database.write(write)
        return Again()

    async def trim(self, look: Look) -> Outcome:
        for row in look.dropped:
            if isinstance(row, DiskRow):
                await self.let_go(row, delete=False)
                continue
            if row.port_id:
                await self.room.networks.unplug(look.server.id, row.port_id)
            await self.forget(row)
        return Again()

    def waiting(self, look: Look, seconds: int, reason: str, fault: str) -> Outcome:
        """Not yet; and no longer than this budget without any change, unless its node is away: then it is waited for.

        It is woken when there is news. Meanwhile it is looked at less and less, so that many that wait hold up nobody.
        """
        host = look.server.host
        waited = self.room.clock.now() - max(look.server.wished_at, look.server.updated_at)
        if waited > seconds * SECOND and (not host or look.alive(host)):
            return Failed(Fault(message=f"{fault}: {reason} after {seconds} seconds. {TRY_AGAIN}", code=500))
        return Again(min(max(LOOK_AGAIN, waited / SECOND / 4), LOOK_AT_LEAST), reason)


class SharesTaken(CloudError):
    """The host cannot promise what the server's ports ask for."""

    status = 400
    title = "Bad Request"


class VolumeNotMade(CloudError):
    status = 400
    title = "Block Device Mapping is Invalid"


def holds_its_shares(look: Look) -> bool:
    held = look.claims.get(look.server.host)
    return held is not None and held.below == look.asks_at(look.server.host).total


def placed(row: ServerRow, host: str, zone: str) -> None:
    row.host, row.zone, row.host_status = host, zone, "UP"
