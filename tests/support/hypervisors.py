"""Worlds for the suites of hypervisors: the same things can be done to pretended machines and to real ones."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from cumulet.contracts.backends import LOCAL
from cumulet.contracts.machines import (
    DiskSpec,
    GuestData,
    ImageRef,
    MachineSpec,
    NicSpec,
    Power,
    VolumeConnection,
)
from cumulet.contracts.moves import Departure, Luggage
from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.hypervisor.base import (
    Belongings,
    Hypervisor,
    ImageUnusable,
    MachineFailed,
    OffersDiagnostics,
    OffersLuggage,
    OffersPasswords,
    OffersSnapshot,
    Opening,
    OpenWay,
    OutOfReach,
)
from cumulet.drivers.hypervisor.fake import FakeHypervisor, FakeMachines
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.probe import Abilities, probe
from cumulet.drivers.volume.exports import Exports
from cumulet.drivers.volume.fake import FakeVolumes, VolumeWorld
from cumulet.lib import process
from cumulet.lib.joined import Ends
from cumulet.lib.process import User
from cumulet.lib.sparse import send
from tests.support.boot_sector import boot_disk
from tests.support.clock import JumpingClock
from tests.support.patience import HANG_SECONDS
from tests.support.supplies import Vault

GUEST_USER = User(64_055, 64_055)
"""Nobody's numbers: what runs as them can open only what it was given."""
STORAGE_USER = User(64_056, GUEST_USER.gid)
SECRET = "ab" * 32


class Door(Hypervisor, OffersSnapshot, OffersDiagnostics, OffersPasswords, OffersLuggage, Protocol):
    """What both kinds of hypervisor offer."""


class World(Protocol):
    """Machines, and what happens to them from the outside."""

    wire: Wire
    """By which machines leave this node."""

    async def open(self) -> Door:
        """The door of a new process, after the end of the earlier one."""
        ...

    async def cross(self, wire: Wire | None = None) -> Door:
        """The door of another node, to which machines come from this one; whatever else is asked is asked there."""
        ...

    def image(self, word: str = "guest", *, deaf: bool = False) -> ImageRef: ...

    def volume(self) -> VolumeConnection: ...

    async def far_volume(self) -> VolumeConnection:
        """One that is reached over the network."""
        ...

    async def elsewhere(self, volume: VolumeConnection, *, far: bool) -> VolumeConnection:
        """Another place for a volume, where nothing is yet."""
        ...

    async def lose(self, volume: VolumeConnection) -> None:
        """It is reached no more."""
        ...

    def ways(self, machine_id: str) -> int:
        """To how many volumes of the network a machine has a way."""
        ...

    def port(self) -> NicSpec: ...

    async def boots(self, machine_id: str, count: int) -> None:
        """Wait until its guest was started so many times, as its console tells."""
        ...

    def kill(self, machine_id: str) -> None:
        """Its process dies."""
        ...

    def turn_off_inside(self, machine_id: str) -> None:
        """Its guest turns itself off."""
        ...

    def has_process(self, machine_id: str) -> bool: ...

    async def close(self) -> None: ...


class Wire:
    """Between two nodes. It carries so many bytes until it breaks, then as many again."""

    def __init__(self, carries: int = 1 << 40) -> None:
        self.carries = carries
        self.source: OffersLuggage | None = None
        self.fake: FakeHypervisor | None = None
        self.qemu: QemuHypervisor | None = None
        """Where machines arrive that run."""
        self.stalls = False
        """Whoever opens a way waits for ever."""

    async def carry(self, departure: Departure, memory: bytes) -> None:
        if self.fake is None or len(memory) > self.carries:
            raise OutOfReach("the wire broke")
        await self.fake.take_over(departure.memory_pass, memory)

    async def open_way(self, departure: Departure, what: str) -> Ends:
        if self.qemu is None or not self.carries:
            raise OutOfReach("the wire broke")
        if self.stalls:
            await asyncio.Event().wait()
        find = self.qemu.memory_socket if what == "memory" else self.qemu.disks_socket
        return await asyncio.open_unix_connection(find(departure.memory_pass))

    async def luggage(self, machine_id: str) -> Luggage:
        assert self.source is not None
        return await self.source.luggage(machine_id)

    async def file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        assert self.source is not None
        left = self.carries
        async with self.source.luggage_file(machine_id, name, offset) as parcel:
            async for piece in send(parcel):
                if len(piece) > left:
                    yield piece[:left]
                    raise OutOfReach("the wire broke")
                left -= len(piece)
                yield piece


def machine(world: World, **changes: object) -> MachineSpec:
    """An order for a small machine that should run."""
    spec = MachineSpec(
        id=str(uuid.uuid4()),
        wanted=Power.RUNNING,
        vcpus=1,
        memory_mib=32,
        disks=(DiskSpec(id="root", device="vda", image=world.image(), boot_index=0),),
        nics=(),
        guest=GuestData(hostname="maple", name="Maple", project_id="forest"),
        shutdown_seconds=10,
    )
    return msgspec.structs.replace(spec, **changes)


def with_volume(spec: MachineSpec, volume: VolumeConnection, **more: object) -> MachineSpec:
    disk = msgspec.structs.replace(DiskSpec(id=volume.volume_id, device="vdb", volume=volume, size_gib=1), **more)
    return msgspec.structs.replace(spec, disks=(*spec.disks, disk))


class FakeWorld:
    def __init__(self) -> None:
        self.clock = JumpingClock()
        self.machines = FakeMachines(self.clock, boot_seconds=3.0)
        self.wire = Wire()
        self.far = VolumeWorld()
        self.farther = VolumeWorld()
        self._door = FakeHypervisor(self.machines, carry=self.wire.carry, reach=self.reach)

    async def reach(self, connection: VolumeConnection) -> None:
        if not (self.far.lets_in(connection) or self.farther.lets_in(connection)):
            raise OutOfReach("nobody offers it")

    async def far_volume(self) -> VolumeConnection:
        spec = VolumeSpec(id=str(uuid.uuid4()), size_gib=1, export_secret=SECRET)
        facts = await FakeVolumes(self.far, Vault(), "far").ensure(spec)
        return connection_to(spec.id, facts.exported)

    async def elsewhere(self, volume: VolumeConnection, *, far: bool) -> VolumeConnection:
        place = msgspec.structs.replace(VolumeConnection(volume_id=volume.volume_id), backend="attic")
        if not far:
            return place
        spec = VolumeSpec(id=volume.volume_id, size_gib=1, export_secret=SECRET)
        facts = await FakeVolumes(self.farther, Vault(), "farther").ensure(spec)
        return connection_to(spec.id, facts.exported, backend="attic")

    async def lose(self, volume: VolumeConnection) -> None:
        for world in (self.far, self.farther):
            world.exports.pop(volume.volume_id, None)

    def ways(self, machine_id: str) -> int:
        machine = self.machines.machines.get(machine_id)
        return len(machine.relays) if machine is not None else 0

    async def cross(self, wire: Wire | None = None) -> Door:
        wire = wire or self.wire
        wire.source = self._door
        self.machines = FakeMachines(self.clock, boot_seconds=3.0)
        self.wire = Wire()
        self._door = wire.fake = FakeHypervisor(self.machines, wire, self.wire.carry, self.reach)
        return self._door

    async def open(self) -> Door:
        self._door = FakeHypervisor(self.machines, carry=self.wire.carry, reach=self.reach)
        return self._door

    def image(self, word: str = "guest", *, deaf: bool = False) -> ImageRef:
        return ImageRef(id=str(uuid.uuid4()), sha512=f"{word}{deaf}", disk_format="qcow2", size=1 << 20)

    def volume(self) -> VolumeConnection:
        return VolumeConnection(volume_id=str(uuid.uuid4()))

    def port(self) -> NicSpec:
        return NicSpec(port_id=str(uuid.uuid4()), network_id=str(uuid.uuid4()), mac="fa:16:3e:00:00:01")

    async def boots(self, machine_id: str, count: int) -> None:
        self.clock.jump(3.0)
        log = await self._door.console_log(machine_id, 1 << 16)
        assert log.count(b"login:") == count, log

    def kill(self, machine_id: str) -> None:
        self.machines.crash(machine_id)

    def turn_off_inside(self, machine_id: str) -> None:
        self.machines.power_off(machine_id)

    def has_process(self, machine_id: str) -> bool:
        return self.machines.machines[machine_id].power in (Power.RUNNING, Power.PAUSED)

    async def close(self) -> None:
        pass


class QemuWorld:
    """Real machines in a namespace of their own. Their disks are one sector of code, so they start in no time."""

    def __init__(self, abilities: Abilities) -> None:
        self.abilities = abilities
        # Not the test's own folder, which nobody but its user may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="cumulet-", dir="/tmp"))
        self.folder.chmod(0o711)
        for name in ("images", "volumes"):
            (self.folder / name).mkdir(mode=0o711)
        self.namespaces: list[str] = []
        self._ports: list[str] = []
        self._add_namespace()
        self.state = "state"
        self.wire = Wire()
        self.door = qemu_door(self.folder, self.namespace, abilities, open_way=self.wire.open_way)
        self.exports = Exports(self.folder / "exports", "", user=STORAGE_USER, owner=GUEST_USER)
        self.attic = Exports(self.folder / "attic", "", user=STORAGE_USER, owner=GUEST_USER)
        self._left: list[QemuHypervisor] = []
        """The doors of nodes that were crossed from."""

    @property
    def namespace(self) -> str:
        """The newest node's."""
        return self.namespaces[-1]

    def _add_namespace(self) -> None:
        self.namespaces.append(f"cumulet-{self.folder.name[-8:]}-{len(self.namespaces)}")
        subprocess.run(["ip", "netns", "add", self.namespace], check=True, timeout=HANG_SECONDS)
        for port in self._ports:
            self._add_tap(port)

    def _add_tap(self, port: str) -> None:
        argv = ["ip", "-n", self.namespace, "tuntap", "add", "dev", tap_name(port), "mode", "tap"]
        subprocess.run(argv, check=True, timeout=HANG_SECONDS)

    async def cross(self, wire: Wire | None = None) -> QemuHypervisor:
        wire = wire or self.wire
        wire.source = self.door
        self._left.append(self.door)
        self._add_namespace()
        self.state = f"state{len(self._left)}"
        self.wire = Wire()
        self.door = wire.qemu = qemu_door(
            self.folder, self.namespace, self.abilities, self.state, wire, self.wire.open_way
        )
        return self.door

    async def open(self) -> QemuHypervisor:
        await self.door.close()
        self.door = qemu_door(self.folder, self.namespace, self.abilities, self.state, open_way=self.wire.open_way)
        return self.door

    def image(self, word: str = "guest", *, deaf: bool = False) -> ImageRef:
        name = f"{word}-deaf" if deaf else word
        file = self.folder / "images" / f"{name}.qcow2"
        if not file.exists():
            raw = file.with_suffix(".raw")
            raw.write_bytes(boot_disk(word, deaf=deaf))
            argv = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(file)]
            subprocess.run(argv, check=True, timeout=HANG_SECONDS)
        return ImageRef(id=str(uuid.uuid4()), sha512=name, disk_format="qcow2", size=file.stat().st_size)

    def volume(self) -> VolumeConnection:
        connection = VolumeConnection(volume_id=str(uuid.uuid4()))
        self._make_file(connection)
        return connection

    def _make_file(self, connection: VolumeConnection) -> None:
        argv = ["qemu-img", "create", "-q", "-f", "qcow2", self.volume_file(connection), "1G"]
        subprocess.run(argv, check=True, timeout=HANG_SECONDS)

    async def far_volume(self) -> VolumeConnection:
        volume = self.volume()
        await self.exports.ensure(volume.volume_id, Path(self.volume_file(volume)), SECRET)
        return connection_to(volume.volume_id, self.exports.address(volume.volume_id))

    async def elsewhere(self, volume: VolumeConnection, *, far: bool) -> VolumeConnection:
        place = VolumeConnection(volume_id=volume.volume_id, backend="attic")
        self._make_file(place)
        if not far:
            return place
        await self.attic.ensure(volume.volume_id, Path(self.volume_file(place)), SECRET)
        return connection_to(volume.volume_id, self.attic.address(volume.volume_id), backend="attic")

    async def lose(self, volume: VolumeConnection) -> None:
        await (self.attic if volume.backend == "attic" else self.exports).end(
            volume.volume_id, Path(self.volume_file(volume))
        )

    def ways(self, machine_id: str) -> int:
        return len(list(Folder.of(self.folder / self.state, machine_id).relays.glob("*/run/nbd")))

    def volume_file(self, connection: VolumeConnection) -> str:
        return str(_volume_file(self.folder / "volumes", connection))

    def port(self) -> NicSpec:
        port = str(uuid.uuid4())
        self._ports.append(port)
        self._add_tap(port)
        return NicSpec(port_id=port, network_id=str(uuid.uuid4()), mac="fa:16:3e:00:00:01", mtu=1450)

    async def boots(self, machine_id: str, count: int) -> None:
        await self.says(machine_id, "boot ", count)

    async def says(self, machine_id: str, words: str, count: int = 1, patience: float = HANG_SECONDS) -> bytes:
        """Wait until its console has said this so many times."""
        async with asyncio.timeout(patience):
            while True:
                log = await self.door.console_log(machine_id, 1 << 16)
                if log.count(words.encode()) >= count:
                    assert log.count(words.encode()) == count, log
                    return log
                await asyncio.sleep(0.01)

    def press(self, machine_id: str, key: str) -> None:
        """Send a key down its serial line."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(HANG_SECONDS)
            line.connect(self.door.serial_socket(machine_id))
            line.sendall(key.encode())

    @contextlib.contextmanager
    def line(self, machine_id: str) -> Iterator[SerialLine]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
            connection.connect(self.door.serial_socket(machine_id))
            yield SerialLine(connection)

    def kill(self, machine_id: str) -> None:
        identity = self.identity(machine_id)
        assert identity is not None
        process.send_signal(identity, signal.SIGKILL)

    def turn_off_inside(self, machine_id: str) -> None:
        self.press(machine_id, "q")

    def identity(self, machine_id: str) -> process.Identity | None:
        journal = Folder.of(self.folder / self.state, machine_id).load()
        return journal.process if journal is not None else None

    def has_process(self, machine_id: str) -> bool:
        return bool(self.processes(machine_id))

    def processes(self, machine_id: str) -> list[int]:
        """All processes that run this machine, whoever started them."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if f"guest={machine_id}".encode() in words and b"qemu-system" in words[0]:
                    found.append(int(entry.name))
        return found

    async def close(self) -> None:
        for door in (await self.open(), *self._left):
            for facts in await door.found():
                await door.remove(facts.id)
            await door.close()
        await self.exports.halt()
        await self.attic.halt()
        for namespace in self.namespaces:
            await process.run(["ip", "netns", "del", namespace], timeout=HANG_SECONDS)
        await asyncio.to_thread(shutil.rmtree, self.folder)


class SerialLine:
    """A conversation with a guest over its serial line. Whoever holds it must listen, or the guest falls silent."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def dialogue(self, words: str, answer: str) -> None:
        """Say something and wait for this answer; asked again every now and then, as people do."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(3 * HANG_SECONDS):
            while True:
                await loop.sock_sendall(self._connection, words.encode() + b"\n")
                heard = b""
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        while answer.encode() not in heard.replace(words.encode() + b"\r", b""):
                            heard += await loop.sock_recv(self._connection, 1 << 16)
                        return


class _Images:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def path(self, image: ImageRef) -> str:
        file = self._folder / f"{image.sha512}.qcow2"
        if not file.exists():
            raise ImageUnusable("the image is damaged")
        return str(file)


class _Volumes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, connection: VolumeConnection) -> str:
        return str(_volume_file(self._folder, connection))

    async def opening(self, connection: VolumeConnection) -> Opening:
        raise MachineFailed("There is no cluster here.")


def _volume_file(folder: Path, connection: VolumeConnection) -> Path:
    return folder / f"{connection.volume_id}-{connection.backend}.qcow2"


def qemu_door(
    folder: Path,
    namespace: str,
    abilities: Abilities,
    state: str = "state",
    belongings: Belongings | None = None,
    open_way: OpenWay | None = None,
) -> QemuHypervisor:
    """A hypervisor over a world's folder, for this process or another."""
    return QemuHypervisor(
        folder / state,
        _Images(folder / "images"),
        _Volumes(folder / "volumes"),
        tap_name,
        lambda guest, machine_id: {"openstack/latest/meta_data.json": f'{{"uuid": "{machine_id}"}}'.encode()},
        abilities=abilities,
        belongings=belongings,
        open_way=open_way,
        net_namespace=namespace,
        user=GUEST_USER,
        relay_user=STORAGE_USER,
        reach_seconds=3,
    )


def connection_to(volume_id: str, address: str, backend: str = LOCAL) -> VolumeConnection:
    """How a volume that is offered there is reached."""
    place, _, target = address.rpartition("/")
    host, _, port = place.rpartition(":")
    return VolumeConnection(
        volume_id=volume_id, backend=backend, protocol="nbd", host=host, port=int(port), target=target, secret=SECRET
    )


def tap_name(port_id: str) -> str:
    return f"tap{port_id[:8]}"


async def tcg() -> Abilities:
    """What this machine can do for sure: the suites are the same everywhere."""
    state = Path(tempfile.mkdtemp(prefix="cumulet-"))
    try:
        found = await probe(state)
    finally:
        shutil.rmtree(state)
    return Abilities(accelerator="tcg", version=found.version)
