"""Packages of the distribution: which are wanted, and how their files are taken without installing anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

HOST_PACKAGES = ("apt", "dpkg", "e2fsprogs", "qemu-utils", "util-linux")
"""Must be installed before an image can be built."""

TOOL_PACKAGES = ("dosfstools", "mtools", "syslinux", "syslinux-common", "systemd-boot-efi")
"""Downloaded, and run or copied from a temporary folder: the boot loaders and what writes them."""

KERNEL_PACKAGE = "linux-image-cloud-amd64"
"""Names the newest kernel package by a dependency."""

GUEST_PACKAGES = ("busybox-static", "dropbear-bin", "e2fsprogs", "libpam-modules", "opendoas", "util-linux")
"""Downloaded: programs of the tiny guest. The libraries they need follow from their dependencies."""

_RECURSE = ("--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces")


class BuildFailed(Exception):
    """An image could not be built; the message says at which step and what to do."""


def run(argv: Sequence[str], *, timeout: float, cwd: Path | None = None, path: str = "") -> str:
    """Run one step of a build to its end; what it printed. Programs below `path` are found first."""
    found = f"{path}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
    environment = {**os.environ, "PATH": found, "LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1"}
    try:
        ended = subprocess.run(
            argv, cwd=cwd, env=environment, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise BuildFailed(f"{argv[0]} is not installed; an image needs: {', '.join(HOST_PACKAGES)}") from error
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{argv[0]} did not end within {timeout:g} s") from error
    if ended.returncode != 0:
        raise BuildFailed(f"{' '.join(argv[:3])} failed: {ended.stderr.strip()[-1000:]}")
    return ended.stdout


def kernel_package(depends: str) -> str:
    """The kernel that a meta package stands for, from what `apt-cache depends` says of it."""
    for line in depends.splitlines():
        name = line.strip().removeprefix("Depends: ")
        if name.startswith("linux-image-") and name != line.strip():
            return name
    raise BuildFailed(f"apt knows no kernel by the name {KERNEL_PACKAGE}: run `apt-get update` first")


def libraries(depends: str, roots: Collection[str]) -> list[str]:
    """The library packages that these packages need, from what `apt-cache depends --recurse` says.

    Only what is named `lib…` is followed: other dependencies are for installing, not for running one program.
    """
    graph: dict[str, list[str]] = {}
    package = ""
    for line in depends.splitlines():
        relation, colon, name = line.strip(" |").partition("Depends: ")
        if not line.startswith((" ", "|")):
            package = line.strip()
        elif colon and relation in ("", "Pre") and name.startswith("lib"):
            graph.setdefault(package, []).append(name)
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        for name in graph.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return sorted(found - set(roots))


def look_up_kernel() -> str:
    return kernel_package(run(["apt-cache", "depends", KERNEL_PACKAGE], timeout=60))


def look_up_libraries(roots: Sequence[str]) -> list[str]:
    return libraries(run(["apt-cache", "depends", *_RECURSE, "--no-enhances", *roots], timeout=60), roots)


def take(names: Sequence[str], folder: Path) -> None:
    """Download packages, verified by apt against the distribution's signatures, and unpack them into `folder`."""
    folder.mkdir(parents=True)
    archives = folder.with_name(folder.name + ".packages")
    archives.mkdir()
    # The sandbox of apt is another user, who cannot write into our private folder.
    run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names], timeout=600, cwd=archives)
    for archive in sorted(archives.glob("*.deb")):
        run(["dpkg-deb", "--extract", str(archive), str(folder)], timeout=120)
        archive.unlink()
