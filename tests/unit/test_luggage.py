"""What a machine brings from its old node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cumulet.contracts.moves import Luggage
from cumulet.drivers.hypervisor.qemu.luggage import pack
from cumulet.node.machines.belongings import HandedOn
from cumulet.node.passwords import FilePasswords

MACHINE = "5c0d5a8e-4a8b-4b0c-9a57-3d8a3d1f0001"


class OldNode:
    """As the control plane hands it on."""

    def __init__(self, password: bytes) -> None:
        self.password = password

    async def luggage(self, machine_id: str) -> Luggage:
        return Luggage(password=self.password)

    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        yield b""


async def test_a_password_is_kept_on_the_new_node_once(tmp_path: Path) -> None:
    kept = FilePasswords(tmp_path)
    old: Any = OldNode(b"")
    handed = HandedOn(old, kept.write)
    await handed.luggage(MACHINE)
    assert kept.read(MACHINE) == b""
    old.password = b"sealed"
    for _ in "twice":
        assert (await handed.luggage(MACHINE)).password == b"sealed"
        assert kept.read(MACHINE) == b"sealed"


async def test_a_disk_that_goes_while_its_machine_packs_is_no_luggage(tmp_path: Path) -> None:
    class Listed(type(tmp_path)):  # type: ignore[misc]
        def iterdir(self) -> Iterator[Path]:
            yield self / "gone.raw"
            yield from super().iterdir()

    (tmp_path / "kept.raw").write_bytes(b"12345")
    journal = SimpleNamespace(running=None, numbers={"kept": 1})
    machine: Any = SimpleNamespace(folder=SimpleNamespace(disks=Listed(tmp_path)), journal=journal)
    packed = await pack(machine)
    assert [(file.name, file.size) for file in packed.files] == [("kept.raw", 5)]


def test_of_passwords_that_are_forgotten_nothing_is_left(tmp_path: Path) -> None:
    other = MACHINE.replace("1", "2")
    kept = FilePasswords(tmp_path / "passwords")
    kept.clear(MACHINE)
    assert kept.write(MACHINE, b"one")
    assert not kept.write(MACHINE, b"two")
    assert kept.write(other, b"three")
    kept.clear(MACHINE)
    assert (kept.read(MACHINE), kept.read(other)) == (b"", b"three")
    kept.clear(other)
    assert list(tmp_path.iterdir()) == []
