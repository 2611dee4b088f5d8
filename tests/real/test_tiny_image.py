"""The tiny guest boots, learns who it is, grows, obeys, and survives a power cut. QEMU with user networking only."""

from __future__ import annotations

import asyncio
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cumulet.drivers.hypervisor.qemu import config_drive
from cumulet.drivers.hypervisor.qemu.command import AGENT
from cumulet.lib.guest_agent import tell
from cumulet.programs.images.tiny import READY
from tests.support.guest_image import tiny_image
from tests.support.patience import HANG_SECONDS
from tests.support.real_cloud import GUEST_SECONDS

pytestmark = pytest.mark.root

METADATA_ANSWER = Path(__file__).parents[1] / "support" / "metadata_answer.py"
USER_DATA = "#!/bin/sh\necho ran >> /root/count\necho 'from user data' > /home/cirros/greeting\n"
FILES = [{"content_path": f"/content/000{number}", "path": f"/etc/shop/{number}"} for number in range(2)]
META_DATA = {
    "uuid": "11111111-2222-4333-8444-555555555555", "hostname": "maple.example.org", "name": "maple", "files": FILES,
}  # fmt: skip
CONTENT = {"openstack/content/0000": "open", "openstack/content/0001": "closed"}


class Guest:
    """A running machine: its serial console, its monitor, and a shell by SSH."""

    def __init__(self, folder: Path, ssh_port: int) -> None:
        self.folder = folder
        self.ssh_port = ssh_port

    def console(self) -> str:
        return (self.folder / "console").read_text(errors="replace")

    def await_console(self, text: str, times: int = 1, seconds: float = GUEST_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while self.console().count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} within {seconds:g} s:\n{self.console()[-3000:]}"
            select.select([], [], [], 0.1)

    def shell(self, command: str) -> str:
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        key = ["-i", str(self.folder / "key"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        argv = ["ssh", "-n", *options, *key, "-p", str(self.ssh_port), "cirros@127.0.0.1", command]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=2 * HANG_SECONDS)
        assert ended.returncode == 0, f"{command}: {ended.stderr}"
        return ended.stdout.strip()

    def monitor(self, command: str, **arguments: object) -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(HANG_SECONDS)
            monitor.connect(str(self.folder / "monitor"))
            lines = monitor.makefile("rw")
            lines.readline()
            for order in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                lines.write(json.dumps(order) + "\n")
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    assert "error" not in answer, answer


@contextmanager
def booted(
    folder: Path, *arguments: str, network: str = "", gib: int = 1
) -> Iterator[tuple[Guest, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    disk = folder / "disk.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(tiny_image()), str(disk), f"{gib}G"]
    subprocess.run(create, check=True, timeout=20)
    argv = [
        *("qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "128", "-nodefaults"),
        *("-display", "none", "-serial", f"file:{folder}/console", "-qmp", f"unix:{folder}/monitor,server=on,wait=off"),
        *("-drive", f"if=none,id=root,file={disk},format=qcow2", "-device", "virtio-blk-pci,drive=root,bootindex=0"),
        *("-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22{network}"),
        *("-device", "virtio-net-pci,netdev=n"),
        *arguments,
    ]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        guest = Guest(folder, port)
        while not (folder / "console").exists():
            assert process.poll() is None
            select.select([], [], [], 0.05)
        yield guest, process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def public_key(tmp_path: Path) -> str:
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "owner", "-f", str(tmp_path / "key")]
    subprocess.run(keygen, check=True, timeout=10)
    return (tmp_path / "key.pub").read_text().strip()


def put_pages(folder: Path, pages: Mapping[str, str]) -> None:
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_guest_becomes_what_its_config_drive_says_and_obeys(tmp_path: Path, public_key: str) -> None:
    meta_data = json.dumps({**META_DATA, "public_keys": {"owner": public_key + "\n"}})
    pages = {"openstack/latest/meta_data.json": meta_data, "openstack/latest/user_data": USER_DATA, **CONTENT}
    (tmp_path / "config.iso").write_bytes(config_drive.disk({name: text.encode() for name, text in pages.items()}))
    drive = f"if=none,id=config,file={tmp_path}/config.iso,format=raw,readonly=on"
    line = f"socket,id=agent,path={tmp_path}/agent,server=on,wait=off"
    agent = ("-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=agent,name={AGENT}", "-chardev", line)
    config = ("-drive", drive, "-device", "virtio-blk-pci,drive=config")
    with booted(tmp_path, *config, *agent, gib=3) as (guest, _):
        guest.await_console(READY)
        assert "login:" in guest.console()
        assert guest.shell("hostname") == "maple"
        assert guest.shell("cat greeting") == "from user data"
        assert guest.shell("cat /etc/shop/0 /etc/shop/1") == "openclosed"
        assert guest.shell("sudo id -u") == "0"
        assert guest.shell("sudo -u cirros id -un") == "cirros"
        assert guest.shell("ping -c 1 -w 5 127.0.0.1 > /dev/null && echo back") == "back"
        # Nearly all of the 3 GiB: a root that stayed small would boot just as well.
        assert int(guest.shell("df -m / | awk 'END {print $2}'")) > 2800
        assert guest.shell("/sbin/blkid -L config-2 -o device") == "/dev/vdb"
        assert "vfat" in guest.shell("dd if=/dev/zero of=disk bs=1M count=4; sudo mkfs -t vfat disk; sudo blkid disk")
        assert guest.shell("lsblk -lb --nodeps -n -o NAME,SIZE,TYPE").split()[:3] == ["vda", str(3 << 30), "disk"]

        # Its agent gives it another password.
        before = guest.shell("sudo grep cirros: /etc/shadow")
        secret = {"username": "cirros", "password": "TmV3cGFzczEyMzQ=", "crypted": False}
        assert asyncio.run(tell(str(tmp_path / "agent"), "guest-set-user-password", secret)) == {}
        assert guest.shell("sudo grep cirros: /etc/shadow") != before

        # A power cut right after the first boot: the grown root is whole, and user data does not run again.
        guest.monitor("system_reset")
        guest.await_console(READY, times=2)
        assert int(guest.shell("df -m / | awk 'END {print $2}'")) > 2800
        assert guest.shell("sudo cat /root/count") == "ran"

        keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
        guest.monitor("send-key", keys=keys)
        guest.await_console("reboot: Restarting system")


def test_a_guest_becomes_what_the_metadata_service_says(tmp_path: Path, public_key: str) -> None:
    pages = {
        "openstack/latest/meta_data.json": json.dumps(META_DATA),
        "openstack/latest/user_data": USER_DATA,
        "latest/meta-data/public-keys/index": "0=owner",
        "latest/meta-data/public-keys/0/openssh-key": public_key,
        **CONTENT,
    }
    put_pages(tmp_path / "pages", pages)
    answer = f"{sys.executable} {METADATA_ANSWER} {tmp_path}/pages"
    network = f",net=169.254.0.0/16,host=169.254.0.2,guestfwd=tcp:169.254.169.254:80-cmd:{answer}"
    with booted(tmp_path, network=network) as (guest, process):
        guest.await_console(READY)
        assert guest.shell("hostname") == "maple"
        assert guest.shell("cat greeting") == "from user data"
        assert guest.shell("cat /etc/shop/0 /etc/shop/1") == "openclosed"
        url = "http://169.254.169.254/openstack/latest/meta_data.json"
        assert json.loads(guest.shell(f"curl {url}")) == META_DATA
        guest.monitor("system_powerdown")
        assert process.wait(30) == 0
        assert "cumulet-guest: shutting down" in guest.console()


def test_a_guest_boots_from_uefi(tmp_path: Path) -> None:
    firmware = "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"
    with booted(tmp_path, "-drive", firmware, "-m", "256") as (guest, _):
        guest.await_console("login:")
