"""Packages of the distribution: looked up, fetched and unpacked without installing anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cumulet.programs.images.commands import BuildFailed, run

KERNEL_PACKAGE = "linux-image-cloud-amd64"
"""Names the newest kernel package by a dependency."""

_RECURSE = (
    *("--recurse", "--no-recommends", "--no-suggests"),
    *("--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"),
)


def kernel_package(depends: str) -> str:
    """The kernel that a meta package stands for, from what `apt-cache depends` says of it."""
    for line in depends.splitlines():
        relation, colon, name = line.strip().partition("Depends: ")
        if colon and not relation and name.startswith("linux-image-"):
            return name
    raise BuildFailed(f"apt knows no package {KERNEL_PACKAGE}: it is one of Debian for x86-64")


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


@dataclass(frozen=True, slots=True)
class Apt:
    """The distribution's packages, as the lists of one folder describe them."""

    options: tuple[str, ...] = ()

    @classmethod
    def refreshed(cls, folder: Path) -> Apt:
        """With new lists in a folder of our own: the system's may be old or absent, and are not ours to change."""
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        apt = cls(("-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache", *_UNSANDBOXED))
        run(["apt-get", "-q", *apt.options, "update"], timeout=300)
        return apt

    def kernel(self) -> str:
        return kernel_package(run(["apt-cache", *self.options, "depends", KERNEL_PACKAGE], timeout=60))

    def libraries(self, roots: Sequence[str]) -> list[str]:
        return libraries(run(["apt-cache", *self.options, "depends", *_RECURSE, *roots], timeout=60), roots)

    def unpack(self, names: Sequence[str], folder: Path) -> None:
        """Download packages, verified by apt against the distribution's signatures, and unpack them into `folder`."""
        folder.mkdir(parents=True)
        archives = folder.with_name(folder.name + ".packages")
        archives.mkdir()
        run(["apt-get", "-q", *self.options, *_UNSANDBOXED, "download", *names], timeout=600, cwd=archives)
        for archive in sorted(archives.glob("*.deb")):
            run(["dpkg-deb", "--extract", str(archive), str(folder)], timeout=120)
            archive.unlink()


# The sandbox of apt is another user, who cannot write into our private folder.
_UNSANDBOXED = ("-o", "APT::Sandbox::User=root")
