"""Nodes of the simulated world for the small cloud: they do what they are told when asked to."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.backends import LOCAL, BackendFacts, Storage, Terms
from cumulet.contracts.machines import MachineSpec, VolumeConnection
from cumulet.contracts.moves import Departure, Luggage
from cumulet.contracts.networks import ElementFacts
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeSpec
from cumulet.core.bus import MemoryBus
from cumulet.core.errors import Conflict, NotFound
from cumulet.drivers.hypervisor.base import MachineFailed, OutOfReach
from cumulet.drivers.hypervisor.fake import FakeHypervisor, FakeMachines
from cumulet.drivers.volume.base import CopyFailed
from cumulet.drivers.volume.fake import FAKE_STORAGE, FakeVolumes, VolumeWorld
from cumulet.lib.sparse import send
from cumulet.node.control_plane import ControlPlaneSilent
from cumulet.node.volumes.backends import Backends
from cumulet.node.volumes.data import volume_data
from cumulet.node.volumes.duty import carry_out, destroy
from cumulet.services.block_storage.public import VolumeDoor
from tests.support.clock import JumpingClock
from tests.support.fake_fleet import FakeFleet

PLAIN = Terms()


class Nodes(FakeFleet):
    """A fleet whose nodes have simulated hypervisors and do what they are told when asked to."""

    def __init__(self, clock: JumpingClock, bus: MemoryBus, names: tuple[str, ...]) -> None:
        self.clock = clock
        self.worlds: dict[str, FakeMachines] = {}
        self.hypervisors: dict[str, FakeHypervisor] = {}
        self.passwords: dict[str, bytes] = {}
        """What guests have left, by machine."""
        self.drivers: dict[str, dict[str, FakeVolumes]] = {}
        self.backends: dict[str, Backends] = {}
        self.volumes: dict[str, VolumeWorld] = {}
        self.supplies = Handed()
        self.broken: set[str] = set()
        """Networks, ports and routers that cannot be made."""
        super().__init__(bus.wake, names)

    def join(self, name: str, **facts: Any) -> None:
        self.worlds[name] = FakeMachines(self.clock)
        copy = partial(self.copy, name)
        self.hypervisors[name] = FakeHypervisor(self.worlds[name], OldNodes(self, name), self.carry, self.reach, copy)
        self.volumes[name] = VolumeWorld()
        self.drivers[name] = {LOCAL: FakeVolumes(self.volumes[name], self.supplies, name)}
        self.backends[name] = Backends(self.drivers[name])
        super().join(name, **{"address": f"{name}:1", **facts})

    def plug_into(self, node: str, *wires: str) -> None:
        """Let a node be joined to these of the provider's wires, and to no others."""
        view = self._nodes[node]
        view.facts = msgspec.structs.replace(view.facts, physical_networks=wires)
        self._wake("node", node)

    def keep_to_itself(self, node: str) -> None:
        """Let a node have no address at which others reach its volumes."""
        view = self._nodes[node]
        view.facts = msgspec.structs.replace(view.facts, tunnel_address="")
        self._wake("node", node)

    def give(
        self,
        node: str,
        backend: str,
        storage: Storage = FAKE_STORAGE,
        world: VolumeWorld | None = None,
        terms: Terms = PLAIN,
    ) -> VolumeWorld:
        """Let a node have another backend, of a world of its own or of one that others have too."""
        world = world or VolumeWorld()
        self.drivers[node][backend] = FakeVolumes(world, self.supplies, node, storage)
        said = msgspec.structs.replace(storage, total_gib=world.capacity_gib, free_gib=world.capacity_gib)
        view = self._nodes[node]
        facts = BackendFacts(name=backend, storage=said, terms=terms)
        view.facts = msgspec.structs.replace(view.facts, backends=(*view.facts.backends, facts))
        self._wake("node", node)
        return world

    async def seal(self, node: str, what: str, valid_until: int, **parameters: str) -> str:
        return f"{what}@{node}:{parameters['machine']}"

    async def carry(self, departure: Departure, memory: bytes) -> None:
        """A machine that leaves a node is on the other at once, if that lives."""
        node = departure.address.partition(":")[0]
        where, _, machine_id = departure.memory_pass.partition(":")
        if where != f"memory@{node}" or not self._nodes[node].alive:
            raise OutOfReach("it does not answer")
        await self.hypervisors[node].take_over(machine_id, memory)

    async def reach(self, connection: VolumeConnection) -> None:
        """A volume of another node, as long as that lives."""
        node = connection.host
        if not (self._nodes[node].alive and self.world_of(connection).lets_in(connection)):
            raise OutOfReach("it does not answer")

    def world_of(self, connection: VolumeConnection, node: str = "") -> VolumeWorld:
        """Where a volume is that is reached, or opened on a node, in this way."""
        return self.drivers[connection.host or node][connection.backend]._world

    async def copy(self, node: str, source: VolumeConnection, target: VolumeConnection) -> None:
        """What a machine does with a volume that is to be elsewhere."""
        content = self.world_of(source, node).held_in(source.volume_id).content
        self.world_of(target, node).held_in(target.volume_id).content = content

    async def set_disabled(self, name: str, disabled: bool, reason: str = "") -> None:
        self._nodes[name].disabled, self._nodes[name].disabled_reason = disabled, reason
        self._wake("node", name)

    async def set_forced_down(self, name: str, forced_down: bool) -> None:
        node = self._nodes[name]
        node.forced_down, node.alive = forced_down, not forced_down
        self._wake("node", name)

    async def ask(self, node: str, what: str, secrets: Mapping[str, str] | None = None, /, **parameters: str) -> bytes:
        hypervisor = self.hypervisors[node]
        if what == "console_log":
            return await hypervisor.console_log(parameters["machine"], 1 << 20)
        if what == "volumes_found":
            return msgspec.json.encode(await self.backends[node][parameters["backend"]].found())
        if what == "diagnostics":
            return msgspec.json.encode(await hypervisor.diagnostics(parameters["machine"]))
        if what == "set_password":
            try:
                await hypervisor.set_password(parameters["machine"], parameters["user"], (secrets or {})["password"])
            except MachineFailed as error:
                raise Conflict(str(error)) from error
            return b""
        if what == "password":
            return self.passwords.get(parameters["machine"], b"")
        if what == "clear_password":
            self.passwords.pop(parameters["machine"], None)
            return b""
        raise NotFound(what)

    async def stream(self, node: str, what: str, **parameters: str) -> AsyncIterator[bytes]:
        try:
            if what == "volume":
                async with self.backends[node].copied(parameters) as copied:
                    yield copied.read_bytes()
                return
            if what == "volume_file":
                async with self.backends[node].file(parameters) as parcel:
                    async for piece in send(parcel):
                        yield piece
                return
            if what == "volume_data":
                async with volume_data(self.backends[node], parameters) as parcel:
                    async for piece in send(parcel):
                        yield piece
                return
        except CopyFailed as error:
            raise Conflict(str(error)) from error
        assert what == "snapshot"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "disk"
            await self.hypervisors[node].snapshot(
                parameters["machine"], parameters["disk"], parameters["format"], str(path)
            )
            yield path.read_bytes()

    async def obey(self) -> bool:
        """Every node that is alive does what it was told; whether anything changed."""
        did = False
        for node, world in self.worlds.items():
            for machine_id in list(world.changes):
                del world.changes[machine_id]
                if self._nodes[node].alive and (node, Kind.MACHINE, machine_id) in self._held:
                    self.report(node, Kind.MACHINE, machine_id, await self.do(node, Kind.MACHINE, machine_id))
                    did = True
        for (node, kind, key), held in list(self._held.items()):
            if not self._nodes[node].alive:
                continue
            if held.gone:
                if kind == Kind.MACHINE:
                    await self.hypervisors[node].remove(key)
                if kind == Kind.VOLUME:
                    spec = self.specs[(node, kind, key)]
                    assert isinstance(spec, VolumeSpec)
                    await destroy(self.backends[node], spec)
                self.report(node, Kind(kind), key)
                did = True
            elif held.observed != held.generation or self._unread(node, kind, key):
                try:
                    facts = await self.do(node, kind, key)
                except ControlPlaneSilent:
                    continue
                self.report(node, Kind(kind), key, facts)
                did = True
        return did

    def _unread(self, node: str, kind: str, key: str) -> bool:
        """A newer text under the same generation."""
        digest = digest_of(self.specs[(node, kind, key)])
        return (
            digest.encode() not in self._held[(node, kind, key)].facts and self._asked.get((node, kind, key)) != digest
        )

    @property
    def _asked(self) -> dict[tuple[str, str, str], str]:
        return self.__dict__.setdefault("asked", {})

    async def do(self, node: str, kind: str, key: str) -> Any:
        spec = self.specs[(node, kind, key)]
        self._asked[(node, kind, key)] = digest_of(spec)
        if isinstance(spec, MachineSpec):
            return await self.hypervisors[node].ensure(spec)
        if isinstance(spec, VolumeSpec):
            return await carry_out(self.backends[node], spec)
        if key in self.broken:
            return ElementFacts(id=key, fault=Fault(message="The switch is on fire."))
        return None

    async def tell_machine(self, node: str, key: str) -> None:
        """The node reports how it finds a machine now."""
        facts = next(facts for facts in await self.hypervisors[node].found() if facts.id == key)
        self.report(node, Kind.MACHINE, key, facts)


class OldNodes:
    """What machines that arrive at a node have on the nodes that they come from."""

    def __init__(self, nodes: Nodes, here: str) -> None:
        self._nodes = nodes
        self._here = here

    async def luggage(self, machine_id: str) -> Luggage:
        return await self._source(machine_id).luggage(machine_id)

    async def file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        async with self._source(machine_id).luggage_file(machine_id, name, offset) as parcel:
            async for piece in send(parcel):
                yield piece

    def _source(self, machine_id: str) -> FakeHypervisor:
        spec = self._nodes.specs[(self._here, Kind.MACHINE, machine_id)]
        assert isinstance(spec, MachineSpec)
        assert spec.arrival is not None
        return self._nodes.hypervisors[spec.arrival.source]


class Handed:
    """What volumes get from block storage. Whatever happens there, a node only sees that it broke off."""

    volumes: VolumeDoor

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        return self._or_silence(self.volumes.backup(backup_id))

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        return self._or_silence(self.volumes.file(volume_id))

    async def volume_key(self, volume_id: str) -> str:
        return await self.volumes.key(volume_id)

    async def _or_silence(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in stream:
                yield piece
        except Exception as error:
            raise ControlPlaneSilent(str(error)) from error
