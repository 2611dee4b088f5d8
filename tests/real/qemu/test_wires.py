"""What leads into a machine: its sockets, and its cards."""

from __future__ import annotations

import socket
import subprocess

import pytest

from cumulet.contracts.machines import Power
from cumulet.lib import process
from tests.real.qemu.asked import as_ordered, change, folder, running
from tests.support.hypervisors.doors import tap_name
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.root


async def test_sockets_and_the_log(world: QemuWorld) -> None:
    spec = await running(world, console_log_kib=1)
    with socket.socket(socket.AF_UNIX) as screen:
        screen.settimeout(HANG_SECONDS)
        screen.connect(world.door.vnc_socket(spec.id))
        assert screen.recv(12).startswith(b"RFB 003.")
    log = folder(world, spec).sockets.console_log
    log.unlink()
    log.symlink_to("/etc/passwd")
    with pytest.raises(Exception, match="not a console log"):
        await world.door.console_log(spec.id, 100)
    folder(world, spec).sockets.vnc.unlink()
    folder(world, spec).sockets.vnc.symlink_to("/run/other")
    with pytest.raises(FileNotFoundError):
        world.door.vnc_socket(spec.id)


async def test_a_card_is_alive_while_its_machine_is(world: QemuWorld) -> None:
    port = world.port()
    argv = ["ip", "-n", world.namespace, "link", "set", tap_name(port.port_id), "up"]
    await process.run(argv, timeout=10)

    def carrier() -> bytes:
        show = ["ip", "-n", world.namespace, "-o", "link", "show", tap_name(port.port_id)]
        return subprocess.run(show, check=True, capture_output=True, timeout=10).stdout

    assert b"NO-CARRIER" in carrier()
    spec = await running(world, nics=(port,))
    assert b"LOWER_UP" in carrier()
    await as_ordered(world, change(spec, nics=()))
    assert b"NO-CARRIER" in carrier()


async def test_a_port_that_is_not_there_yet(world: QemuWorld) -> None:
    port = change(world.port(), port_id="0badcafe-0000-4000-8000-000000000000")
    spec = machine(world, nics=(port,))
    facts = await world.door.ensure(spec)
    assert facts.fault is not None
    assert "0badcafe" in facts.fault.details
    assert (facts.fault.code, facts.power, facts.digest) == (500, Power.STOPPED, "")
    argv = ["ip", "-n", world.namespace, "tuntap", "add", "dev", tap_name(port.port_id), "mode", "tap"]
    await process.run(argv, timeout=10)
    await as_ordered(world, spec)
