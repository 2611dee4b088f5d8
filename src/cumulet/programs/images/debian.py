"""A Debian cloud image with cloud-init, made by mmdebstrap: what many owners use, in contrast to the tiny guest.

Making it takes minutes and booting it without hardware acceleration one or two. Root makes it, or an ordinary user who
has subordinate ids (the package `uidmap`). Its user is `debian`, who logs in with his key only.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from cumulet.programs.images import boot_disk
from cumulet.programs.images.commands import run
from cumulet.programs.images.packages import Apt

GUEST_PACKAGES = (
    *("linux-image-cloud-amd64", "systemd-sysv", "udev", "dbus", "netbase", "iproute2", "isc-dhcp-client", "ifupdown"),
    *("cloud-init", "cloud-guest-utils", "e2fsprogs", "openssh-server", "sudo", "ca-certificates", "qemu-guest-agent"),
)

_CUSTOMIZE = Path(__file__).with_name("debian_guest") / "customize"
_COMMAND_LINE = "root=LABEL=cumulet-root ro console=tty1 console=ttyS0 net.ifnames=0 random.trust_cpu=on"
_ROOT_MIB = 1024
_TIMEOUT = 3600


def build(destination: Path, progress: Callable[[str], None] = lambda _: None, *, suite: str = "bookworm") -> None:
    """Write the image as a qcow2 file to `destination`, whole or not at all. Raises `BuildFailed`."""
    with tempfile.TemporaryDirectory(prefix="cumulet-debian-") as folder:
        work = Path(folder)
        out = work / "out"
        out.mkdir()
        # For an ordinary user mmdebstrap runs as another of his ids, who must get in and write.
        work.chmod(0o711)
        out.chmod(0o777)
        progress("fetching the boot loaders")
        Apt().unpack(boot_disk.TOOL_PACKAGES, work / "tools")
        progress(f"installing Debian {suite} into a folder")
        hook = shlex.join(["sh", str(_CUSTOMIZE)]) + ' "$1" ' + shlex.join([str(out), str(_ROOT_MIB)])
        options = ["--quiet", "--variant=minbase", "--format=null", f"--include={','.join(GUEST_PACKAGES)}"]
        run(["mmdebstrap", *options, f"--customize-hook={hook}", suite, "-"], timeout=_TIMEOUT)
        progress("writing the disk")
        contents = boot_disk.Contents(out / "vmlinuz", out / "initrd", _COMMAND_LINE, out / "root.ext4")
        boot_disk.make(contents, work / "tools", work, destination)
        progress(f"done: {destination}, {destination.stat().st_size / (1 << 20):.0f} MiB")
