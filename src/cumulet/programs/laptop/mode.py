"""Which way of running suits this machine, and why."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ip": "iproute2",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
}
"""Programs that real machines and networks need, and Debian's packages that have them."""
EXTRA_TOOLS = {"mkfs.vfat": "dosfstools", "mkfs.xfs": "xfsprogs", "qemu-storage-daemon": "qemu-system-common"}
"""Programs that only some machines need: for ephemeral and configuration disks with these file systems, and for volumes
of other nodes or for several."""


@dataclass(frozen=True)
class Choice:
    """A mode and the reason for it, for the operator to read."""

    mode: str
    reason: str
    remedy: str = ""


FORBIDDEN = Choice(
    "simulate",
    "this distribution forbids user namespaces to ordinary users",
    "run as root, or allow them: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
)
"""The choice where an ordinary user can have no network of his own."""


def missing_tools(tools: Mapping[str, str] = TOOLS) -> dict[str, str]:
    """Programs that are not here, with their packages."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return {tool: package for tool, package in tools.items() if shutil.which(tool, path=path) is None}


def may_make_user_namespaces() -> bool:
    """Whether an ordinary user may have a network of his own here. Some distributions forbid it."""
    try:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def choose(asked: str) -> Choice:
    """The mode to run in: what was asked for, else the most real one that this machine allows."""
    choice = decide(
        asked,
        missing=missing_tools(),
        tun=os.path.exists("/dev/net/tun"),
        root=os.geteuid() == 0,
        namespaces=may_make_user_namespaces,
    )
    return (rootless_obstacle() or choice) if choice.mode == "rootless" and not asked else choice


def rootless_obstacle() -> Choice | None:
    """Why an ordinary user cannot have real machines here, and what would let him; nothing when he can."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        reason = "/dev/net/tun may not be opened by an ordinary user"
        return Choice("simulate", reason, "run as root, or allow it: chmod 666 /dev/net/tun")
    return None if may_make_user_namespaces() else FORBIDDEN


def decide(asked: str, *, missing: dict[str, str], tun: bool, root: bool, namespaces: Callable[[], bool]) -> Choice:
    """`choose`, for a machine that is like this. `namespaces` is asked only when all depends on it."""
    if asked:
        return Choice(asked, "as asked")
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        return Choice(
            "simulate",
            f"{', '.join(sorted(missing))} not found here",
            f"apt-get install {packages}, then 'cumulet reset' and 'cumulet up'",
        )
    if not tun:
        return Choice("simulate", "/dev/net/tun is missing", "load the kernel module tun")
    if root:
        return Choice("real", "root, and every tool is here")
    if namespaces():
        return Choice("rootless", "an ordinary user who may make namespaces of his own")
    return FORBIDDEN
