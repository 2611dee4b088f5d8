"""A cloud of an ordinary user: somebody without rights on the machine, made for one test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.patience import HANG_SECONDS
from tests.support.real_cloud import Host

UID = "65534"
"""Of nobody, whom every distribution has: ssh wants its user to have a name."""
DEVICE = "/run/tun"


class OrdinaryUser:
    """Somebody of this number on a host where /dev/net/tun is open to all, as distributions have it."""

    def __init__(self, host: Host, home: Path) -> None:
        self.host, self.home = host, home
        host.run("mknod", "-m", "666", DEVICE, "c", "10", "200")
        host.run("mount", "--bind", DEVICE, "/dev/net/tun")
        host.run("chown", "-R", f"{UID}:{UID}", str(home))

    def run(self, *argv: str, seconds: float = 60.0, check: bool = True) -> str:
        become = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--inh-caps", "-all"]
        environment = [f"HOME={self.home}", "PATH=/usr/bin:/bin", f"PYTHONPATH={':'.join(_libraries())}"]
        return self.host.run(*become, "env", "-i", *environment, *argv, seconds=seconds, check=check)

    def cumulet(self, *arguments: str, seconds: float = 90.0, check: bool = True) -> str:
        return self.run("python3", "-m", "cumulet", *arguments, seconds=seconds, check=check)


def _libraries() -> list[str]:
    """Where this interpreter finds the program and its libraries: another user may not enter our environment's home."""
    return [entry for entry in sys.path if Path(entry).name in ("src", "site-packages")]


@contextmanager
def ordinary_user(home: Path) -> Iterator[OrdinaryUser]:
    host = Host()
    try:
        with host.entered():
            yield OrdinaryUser(host, home)
    finally:
        host.end()
        subprocess.run(["chown", "-R", "0:0", str(home)], check=True, timeout=HANG_SECONDS)
