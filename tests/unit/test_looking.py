"""Whoever only looks whether something runs leaves nothing: the folder may be going just then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.machine import Machine, new_journal
from cumulet.lib.storage_daemon import StorageDaemon
from tests.unit.test_qemu_steps import SPEC


async def test_at_a_storage_daemon(tmp_path: Path) -> None:
    daemon = StorageDaemon(tmp_path, None)
    assert not await daemon.runs()
    assert list(tmp_path.iterdir()) == []


async def test_at_a_machine(tmp_path: Path) -> None:
    host: Any = SimpleNamespace(relay_user=None)
    machine = Machine(host, Folder(tmp_path), new_journal(SPEC), lambda machine_id: None)
    assert await machine.find_process() is None
    assert list(tmp_path.iterdir()) == []
