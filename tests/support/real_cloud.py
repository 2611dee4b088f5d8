"""A whole cloud with real machines, in namespaces of its own: a host that ends without a trace, however the test ends.

The test's thread enters the host's network, so that clients inside this process speak to the cloud like any user's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from tests.support.guest_image import tiny_image

UP_SECONDS = 180.0
GUEST_SECONDS = 300.0
"""What a guest may take until somebody is let in: without KVM, on a busy machine, it boots for minutes."""
_CLONE_NEWNET = 0x40000000
_INIT = (
    "mount -t tmpfs -o mode=0755 tmpfs /run && mkdir /run/netns && ip link set lo up && echo ready && "
    "while :; do sleep 1000 & wait; done"
)
"""What the host's first process does: it also buries what is orphaned, as any init does."""
_SSH = ("-n", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")

T = TypeVar("T")


def eventually(what: str, look: Callable[[], T], seconds: float = 120.0) -> T:
    """What `look` answers as soon as it is true. Fails, telling what it waited for, when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)
    return found


class Host:
    """A machine of its own as far as processes, mounts and networks go."""

    def __init__(self) -> None:
        isolation = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._first = subprocess.Popen(
            ["unshare", *isolation, "--propagation", "private", "sh", "-c", _INIT], stdout=subprocess.PIPE, text=True
        )
        assert self._first.stdout is not None
        assert self._first.stdout.readline().strip() == "ready"
        children = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children").read_text().split()
        self.pid = int(children[0])

    def command(self, argv: Sequence[str]) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "--net", "--mount", "--pid", "--", *argv]

    def run(self, *argv: str, seconds: float = 30.0, check: bool = True) -> str:
        """What it printed, errors included."""
        done = subprocess.run(
            self.command(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env=clean_environment(),
        )
        assert done.returncode == 0 or not check, f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def processes(self) -> dict[int, list[str]]:
        """Command lines of all that lives in this host, by their numbers in it."""
        found = {}
        for entry in Path(f"/proc/{self.pid}/root/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if line:
                    found[int(entry.name)] = line.rstrip(b"\0").decode(errors="replace").split("\0")
        return found

    def running(self, program: str) -> list[int]:
        return sorted(pid for pid, argv in self.processes().items() if Path(argv[0]).name == program)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread's sockets, and what it starts, are in the host's network."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            inside = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            _set_network(inside)
            os.close(inside)
            yield
        finally:
            _set_network(before)
            os.close(before)

    def links(self) -> list[str]:
        """The names of the host's own interfaces."""
        lines = self.run("ip", "-o", "link").splitlines()
        return [line.split()[1].rstrip(":").partition("@")[0] for line in lines]

    def lose_power(self, wires: Sequence[str] = ()) -> None:
        """All processes end at once, and nothing of the kernel's state is there when it comes up again; the interfaces
        that its wires are plugged into are."""
        alive = [str(pid) for pid, argv in self.processes().items() if argv[0] not in ("sh", "sleep")]
        self.run("kill", "-9", *alive, check=False)
        eventually("all processes are gone", lambda: not set(alive) & {str(pid) for pid in self.processes()}, 10)
        for name in self.run("ls", "/run/netns").split():
            self.run("ip", "netns", "delete", name)
        for link in self.links():
            if link not in ("lo", *wires):
                self.run("ip", "link", "delete", link, check=False)
        self.run("nft", "flush", "ruleset", check=False)

    def end(self) -> None:
        self._first.kill()
        self._first.wait(10)
        eventually("everything of the host is gone", lambda: not Path(f"/proc/{self.pid}").exists(), 10)


def _set_network(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def clean_environment() -> dict[str, str]:
    """Ours, without what would lead a client or the cloud elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "CUMULET_"))}


class Cloud:
    """A cloud on such a host."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host, self.folder, self.state = host, folder, folder / "state"
        self.key = folder / "key"
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "owner", "-f", str(self.key)]
        subprocess.run(keygen, check=True, timeout=10)

    @property
    def public_key(self) -> str:
        return self.key.with_suffix(".pub").read_text().strip()

    def cumulet(self, *arguments: str, seconds: float = UP_SECONDS, check: bool = True) -> str:
        verb, *others = arguments
        argv = [sys.executable, "-m", "cumulet", verb, "--state", str(self.state), *others]
        return self.host.run(*argv, seconds=seconds, check=check)

    def up(self, *options: str) -> str:
        return self.cumulet("up", *options)

    def down(self) -> str:
        return self.cumulet("down")

    def process(self, program: str) -> int:
        """The number, in the host, of `serve` or `node`."""
        return int((self.state / "run" / f"{program}.lock").read_text())

    def kill(self, program: str) -> None:
        """As the kernel does when memory runs out."""
        pid = self.process(program)
        self.host.run("kill", "-9", str(pid))
        eventually(f"{program} is gone", lambda: pid not in self.host.processes(), 10)

    def client(self, cloud: str = "cumulet") -> Connection:
        files = OpenStackConfig(config_files=[str(self.state / "clouds.yaml")], load_envvars=False)
        return Connection(config=files.get_one(cloud=cloud))

    def ssh_argv(self, address: str, command: str, patience: int) -> list[str]:
        key = ["-i", str(self.key), "-o", "BatchMode=yes", "-o", f"ConnectTimeout={patience}"]
        return ["ssh", *_SSH, *key, f"cirros@{address}", command]

    def ssh(self, address: str, command: str, seconds: float = 120.0) -> str:
        argv = self.ssh_argv(address, command, 10)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, f"{address}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def ssh_answers(self, address: str, seconds: float = GUEST_SECONDS) -> float:
        """Wait until somebody with our key is let in; the seconds that it took."""
        began = time.monotonic()
        eventually(f"SSH at {address}", lambda: self.lets_in(address), seconds)
        return time.monotonic() - began

    def lets_in(self, address: str) -> bool:
        """Whether somebody with our key is let in now. One whose way ends while he is let in is not."""
        argv = self.ssh_argv(address, "true", 3)
        try:
            return subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def logs(self) -> str:
        texts = [(self.state / "log" / name).read_text(errors="replace") for name in ("serve.log", "node.log")]
        return "\n".join(line for text in texts for line in text.splitlines() if " INFO " not in line)


@contextmanager
def real_cloud(*options: str) -> Iterator[Cloud]:
    """A cloud that is up, and this thread in its host's network."""
    folder = Path(tempfile.mkdtemp(prefix="cml-", dir="/tmp"))
    folder.chmod(0o755)
    host = Host()
    try:
        cloud = Cloud(host, folder)
        cloud.up("--image", str(tiny_image()), *options)
        with host.entered():
            yield cloud
    finally:
        host.end()
        shutil.rmtree(folder)
