"""Real machines, and what happens to them from the outside."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from cumulet.contracts.machines import (
    ImageRef,
    NicSpec,
    VolumeConnection,
)
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.probe import Abilities
from cumulet.drivers.volume.files.exports import Exports
from cumulet.lib import process
from tests.support.boot_sector import boot_disk
from tests.support.hypervisors.doors import GUEST_USER, STORAGE_USER, qemu_door, tap_name, volume_file
from tests.support.hypervisors.worlds import SECRET, Wire, connection_to
from tests.support.patience import HANG_SECONDS


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
        return str(volume_file(self.folder / "volumes", connection))

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
