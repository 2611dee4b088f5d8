"""Volumes that a machine has open grow, have snapshots, and are copied as they were while it goes on writing.

By a real QEMU, without a guest: its writes are commands.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from cumulet.contracts.machines import ImageRef
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.drivers.hypervisor.base import ImageUnusable
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.lib.qmp import Monitor
from tests.support.patience import HANG_SECONDS
from tests.support.supplies import Vault

pytestmark = pytest.mark.root

MAPLE, BIRCH, CEDAR = (f"{number:08x}-1111-4000-8000-000000000000" for number in range(3))
MONDAY, TUESDAY = (f"{number:08x}-2222-4000-8000-000000000000" for number in range(2))
BLOCKS = 48
"""How many blocks of 64 KiB are written, spread so that each has tables of its own half of the time."""


class NoImages:
    async def path(self, image: ImageRef) -> str:
        raise ImageUnusable(image.id)


class OneMachine:
    """A machine that has at most one volume open."""

    def __init__(self) -> None:
        self.volume_id = ""
        self.monitor: Monitor | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def open(self, volume_id: str, path: str, folder: Path) -> None:
        disk = {"driver": "qcow2", "node-name": "disk", "file": {"driver": "file", "filename": path}}
        quiet = ["-machine", "none", "-nodefaults", "-display", "none", "-S"]
        argv = ["qemu-system-x86_64", *quiet, "-qmp", f"unix:{folder}/monitor,server=on,wait=off"]
        # Each write is told on the process's own output, where nobody needs it.
        quiet_pipe = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*argv, "-blockdev", json.dumps(disk), stdout=quiet_pipe)
        async with asyncio.timeout(HANG_SECONDS):
            while self.monitor is None:
                try:
                    self.monitor = await Monitor.connect(folder / "monitor", lambda _: None, 10)
                except (FileNotFoundError, ConnectionRefusedError):
                    assert self._process.returncode is None
                    await asyncio.sleep(0.02)
        self.volume_id = volume_id

    async def write(self, pattern: int, block: int) -> None:
        assert self.monitor is not None
        line = f'qemu-io disk "write -P {pattern} {block * 20}M 64k"'
        said = await self.monitor.ask("human-monitor-command", {"command-line": line})
        assert said == "", said

    async def write_all(self, pattern: int) -> None:
        for block in range(BLOCKS):
            await self.write(pattern, block)

    async def stop(self) -> None:
        if self.monitor is not None:
            await self.monitor.close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), 10)
        self.volume_id, self.monitor = "", None

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return ["machine"] if volume_id == self.volume_id else []

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        await self._ask("block_resize", {"node-name": "disk", "size": size_bytes})

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        await self._ask("blockdev-snapshot-internal-sync", {"device": "disk", "name": snapshot_id})

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        await self._ask("blockdev-snapshot-delete-internal-sync", {"device": "disk", "name": snapshot_id})

    async def _ask(self, command: str, arguments: dict[str, object]) -> None:
        assert self.monitor is not None
        await self.monitor.ask(command, arguments)


@pytest.fixture
async def machine() -> AsyncIterator[OneMachine]:
    machine = OneMachine()
    yield machine
    await machine.stop()


def assert_holds(path: str, pattern: int) -> None:
    """Every block of the volume has this pattern, and its file is sound."""
    reads = [word for block in range(BLOCKS) for word in ("-c", f"read -P {pattern} {block * 20}M 64k")]
    ended = subprocess.run(["qemu-io", "-r", "-f", "qcow2", *reads, path], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "failed" not in ended.stdout, ended.stdout
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], check=True, timeout=60)


async def ensured(volumes: FileVolumes, spec: VolumeSpec) -> VolumeFacts:
    facts = await volumes.ensure(spec)
    assert facts.fault is None, facts.fault
    return facts


async def test_an_open_volume_grows_and_is_copied_while_its_machine_writes(tmp_path: Path, machine: OneMachine) -> None:
    volumes = FileVolumes(tmp_path, NoImages(), Vault(), machines=machine)
    await ensured(volumes, VolumeSpec(id=MAPLE, size_gib=1))
    await machine.open(MAPLE, volumes.path(MAPLE), tmp_path)
    await machine.write_all(1)
    facts = await ensured(volumes, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    assert (facts.size_gib, facts.snapshots, facts.connected_to) == (2, (MONDAY,), ("machine",))

    # Both kinds of copy run while every block is written again and more snapshots come and go in the same file.
    async def disturb() -> None:
        await machine.write_all(2)
        for _ in range(3):
            await machine.take_volume_snapshot(MAPLE, TUESDAY)
            await machine.write_all(3)
            await machine.drop_volume_snapshot(MAPLE, TUESDAY)

    disturbing = asyncio.create_task(disturb())
    await ensured(volumes, VolumeSpec(id=BIRCH, size_gib=2, snapshot_id=MONDAY))
    await disturbing
    disturbing = asyncio.create_task(machine.write_all(4))
    await ensured(volumes, VolumeSpec(id=CEDAR, size_gib=2, snapshot_id=MONDAY))
    await disturbing
    assert_holds(volumes.path(BIRCH), 1)
    assert_holds(volumes.path(CEDAR), 1)
    await volumes.remove(CEDAR)
    await ensured(volumes, VolumeSpec(id=CEDAR, size_gib=2, volume_id=MAPLE))
    assert_holds(volumes.path(CEDAR), 4)

    # Without its machine the volume is a plain file again, and returns to its snapshot.
    await machine.stop()
    spec = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    assert (await ensured(volumes, spec)).size_gib == 2
    assert_holds(volumes.path(MAPLE), 1)
    await ensured(volumes, VolumeSpec(id=MAPLE, size_gib=2, reverts=1, revert_to=MONDAY))
    assert_holds(volumes.path(MAPLE), 1)
    volumes.close()
