"""The tiny guest: a bootable cloud image of some 19 MiB, made in seconds from the distribution's kernel and busybox.

It does what a test or a first try asks of a guest: DHCP, config drive or metadata, the owner's SSH key, a user-data
script, sudo, QEMU's agent, a root that grows with the disk, an orderly shutdown. Its user is `cirros`, as in the image
it stands for. What runs inside lies beside this file, in `guest/`.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from cumulet.programs.images import boot_disk, initramfs, kernel_modules
from cumulet.programs.images.commands import BuildFailed, run
from cumulet.programs.images.packages import Apt

READY = "cumulet-guest: ready"
"""The last line on the serial console: SSH is up, the root has grown, user data has run."""

_GUEST = Path(__file__).with_name("guest")
_RECIPE = ("tiny.py", "boot_disk.py", "initramfs.py", "kernel_modules.py", "packages.py")

GUEST_PACKAGES = (
    *("busybox-static", "dropbear-bin", "e2fsprogs", "libpam-modules", "opendoas", "qemu-guest-agent", "util-linux"),
)
"""Programs of the guest. The libraries they need follow from their dependencies."""

_COMMAND_LINE = "console=tty1 console=ttyS0 loglevel=5 random.trust_cpu=on net.ifnames=0"
# A hard reset soon after the first boot destroys a root without a journal, and with a journal below 16 MiB the online
# growth finds too few credits and silently does nothing.
_FILE_SYSTEM = ("-m", "0", "-b", "4096", "-J", "size=16", "-O", "^metadata_csum")

_PROGRAMS = {
    "dropbear": "usr/sbin",
    "dropbearkey": "usr/bin",
    "dbclient": "usr/bin",
    "doas": "usr/bin",
    "resize2fs": "sbin",
    "mke2fs": "sbin",
    "mkfs": "sbin",
    "blkid": "sbin",
    "lsblk": "bin",
    "qemu-ga": "usr/sbin",
    "pam_permit.so": "lib/x86_64-linux-gnu/security",
}
"""Where in the guest each lies; where the distribution has them differs between its releases."""

_FOLDERS = (
    *("proc", "sys", "dev", "run", "tmp", "root", "mnt", "var/log", "var/lib/cloud", "home/cirros"),
    *("etc/dropbear", "usr/sbin"),
)
_LINKS = {
    "var/run": "/run",
    "usr/bin/ssh": "dbclient",
    "usr/sbin/mke2fs": "/sbin/mke2fs",
    "sbin/mkfs.ext2": "mke2fs",
    "sbin/mkfs.ext3": "mke2fs",
    "sbin/mkfs.ext4": "mke2fs",
}


def build(destination: Path, progress: Callable[[str], None] = lambda _: None) -> None:
    """Write the image as a qcow2 file to `destination`, whole or not at all. Raises `BuildFailed`."""
    with tempfile.TemporaryDirectory(prefix="cumulet-tiny-") as folder:
        work = Path(folder)
        packages = work / "packages"
        try:
            progress("fetching packages")
            kernel = _fetch(Apt(), packages, work / "tools")
        except BuildFailed:
            progress("fetching packages by new lists")
            shutil.rmtree(work)
            work.mkdir()
            kernel = _fetch(Apt.refreshed(work / "apt"), packages, work / "tools")
        progress(f"assembling the guest around {kernel}")
        version = kernel.removeprefix("linux-image-")
        run([str(_find(packages, "busybox")), "depmod", "-b", str(packages), version], timeout=60)
        (work / "initrd").write_bytes(_initramfs(packages, packages / "lib/modules" / version))
        _root(packages, version, work / "root")
        progress("writing the disk")
        root = work / "root.ext4"
        boot_disk.root_file_system(work / "root", root, label="cumulet-root", mib=64, options=_FILE_SYSTEM)
        kernel_file = packages / f"boot/vmlinuz-{version}"
        contents = boot_disk.Contents(kernel_file, work / "initrd", _COMMAND_LINE, root)
        boot_disk.make(contents, work / "tools", work, destination)
        progress(f"done: {destination}, {destination.stat().st_size / (1 << 20):.1f} MiB")


def recipe_digest() -> str:
    """Names the image that `build` would make: changes when this recipe changes, not when the distribution does."""
    digest = hashlib.sha256()
    for path in [*(_GUEST.with_name(name) for name in _RECIPE), *sorted(_GUEST.rglob("*"))]:
        if path.is_file():
            digest.update(f"{path.relative_to(_GUEST.parent)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _fetch(apt: Apt, packages: Path, tools: Path) -> str:
    """Unpack all that goes into the guest and all that is needed to write it; the name of the kernel's package."""
    kernel = apt.kernel()
    apt.unpack([kernel, *GUEST_PACKAGES, *apt.libraries(GUEST_PACKAGES)], packages)
    apt.unpack(boot_disk.TOOL_PACKAGES, tools)
    return kernel


def _initramfs(packages: Path, modules: Path) -> bytes:
    files = {name: initramfs.directory() for name in ("bin", "modules", "proc", "sys", "dev", "root")}
    files["bin/busybox"] = initramfs.file(_find(packages, "busybox").read_bytes(), 0o755)
    files["init"] = initramfs.file((_GUEST / "initramfs/init").read_bytes(), 0o755)
    loaded = [kernel_modules.load(modules / path) for path in kernel_modules.read(modules, kernel_modules.BOOT)]
    files.update({f"modules/{name}": initramfs.file(content) for name, content in loaded})
    files["modules/order"] = initramfs.file("\n".join(name for name, _ in loaded).encode())
    return initramfs.archive(files)


def _root(packages: Path, version: str, root: Path) -> None:
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _add_guest_files(root)
    _add_programs(packages, root)
    _add_modules(packages / "lib/modules" / version, root / "lib/modules" / version)
    busybox = str(root / "bin/busybox")
    run([busybox, "depmod", "-b", str(root), version], timeout=60)
    for name, target in _LINKS.items():
        (root / name).symlink_to(target)
    for name in run([busybox, "--list-full"], timeout=10).split():
        path = root / name
        # Ours and the full programs come first.
        if not path.is_symlink() and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to("/bin/busybox")


def _add_guest_files(root: Path) -> None:
    for source in sorted((_GUEST / "root").rglob("*")):
        if source.is_file():
            content = source.read_bytes()
            path = root / source.relative_to(_GUEST / "root")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755 if content.startswith(b"#!/bin/sh") else 0o644)
    (root / "etc/shadow").chmod(0o600)


def _add_programs(packages: Path, root: Path) -> None:
    """Copy the programs, and every library that the loader of the same packages would open for them."""
    loader = _find(packages, "ld-linux-x86-64.so.2")
    folders = {str(path.parent) for path in packages.rglob("*.so.*")}
    libraries: set[str] = set()
    for name, folder in _PROGRAMS.items():
        source = _find(packages, name)
        _copy(source, root / folder / name)
        listed = run([str(loader), "--library-path", ":".join(sorted(folders)), "--list", str(source)], timeout=10)
        libraries.update(line.split()[2] for line in listed.splitlines() if "=> /" in line)
        if "not found" in listed:
            raise BuildFailed(f"a library of {name} is in none of the packages: {listed}")
    for library in sorted(libraries - {str(loader)}):
        _copy(Path(library), root / "lib/x86_64-linux-gnu" / Path(library).name)
    _copy(loader, root / "lib64/ld-linux-x86-64.so.2")
    _copy(_find(packages, "busybox"), root / "bin/busybox")
    _copy(packages / "etc/mke2fs.conf", root / "etc/mke2fs.conf")
    # busybox gives its root rights up at once in every applet but those that need them, such as ping.
    for name in ("usr/bin/doas", "bin/busybox"):
        (root / name).chmod(0o4755)


def _add_modules(source: Path, target: Path) -> None:
    for path in kernel_modules.read(source, kernel_modules.ROOT):
        name, content = kernel_modules.load(source / path)
        place = (target / path).with_name(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for name in ("modules.builtin", "modules.order"):
        _copy(source / name, target / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _find(packages: Path, name: str) -> Path:
    """A program or library wherever it lies; completions and settings of the same name are no ELF files."""
    for path in sorted(packages.rglob(name)):
        if path.is_file():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    return path
    raise BuildFailed(f"none of the packages holds {name}")
