"""The pure parts of building an image: what to fetch, what to load, and the bytes of archive and boot record."""

from __future__ import annotations

import gzip
import stat
import struct
from pathlib import Path

import pytest

from cumulet.programs.images import boot_disk, initramfs, kernel_modules, tiny
from cumulet.programs.images.boot_disk import Partition, boot_record
from cumulet.programs.images.commands import HOST_PACKAGES, BuildFailed, run
from cumulet.programs.images.packages import kernel_package, libraries

DEPENDS = """\
dropbear-bin
  Depends: libc6
  Depends: libtommath1
util-linux
  PreDepends: libmount1
  Depends: login
libc6
  Depends: libgcc-s1
libtommath1
  Depends: libc6
libmount1
  Depends: libc6
 |Depends: libselinux1
  Depends: <libselinux-virtual>
    libselinux2
libgcc-s1
  Depends: gcc-12-base
  Depends: libc6
login
  Depends: libpam0g
libpam0g
"""


def test_the_libraries_of_programs_are_found_and_nothing_else() -> None:
    wanted = ["libc6", "libgcc-s1", "libmount1", "libselinux1", "libtommath1"]
    assert libraries(DEPENDS, ["dropbear-bin", "util-linux"]) == wanted
    assert libraries(DEPENDS, ["libtommath1"]) == ["libc6", "libgcc-s1"]


def test_the_kernel_is_the_one_its_meta_package_names() -> None:
    text = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Suggests: linux-image-x\n"
    assert kernel_package(text) == "linux-image-6.1.0-56-cloud-amd64"
    with pytest.raises(BuildFailed, match="linux-image-cloud-amd64"):
        kernel_package("linux-image-cloud-amd64\n")


MODULES_DEP = """\
kernel/virtio/virtio_ring.ko:
kernel/virtio/virtio.ko: kernel/virtio/virtio_ring.ko
kernel/block/virtio_blk.ko: kernel/virtio/virtio.ko kernel/virtio/virtio_ring.ko
kernel/net/virtio_net.ko.xz: kernel/net/failover.ko.xz kernel/virtio/virtio.ko kernel/virtio/virtio_ring.ko
kernel/net/failover.ko.xz:
"""


def test_modules_come_after_all_they_need() -> None:
    needs = kernel_modules.dependencies(MODULES_DEP)
    assert kernel_modules.closure(["virtio_blk", "ext4", "virtio_net"], needs, "kernel/fs/ext4/ext4.ko\n") == [
        "kernel/virtio/virtio_ring.ko",
        "kernel/virtio/virtio.ko",
        "kernel/block/virtio_blk.ko",
        "kernel/net/failover.ko.xz",
        "kernel/net/virtio_net.ko.xz",
    ]
    with pytest.raises(BuildFailed, match="no module nvme"):
        kernel_modules.closure(["nvme"], needs, "")


def entries(archive: bytes) -> list[tuple[str, int, bytes]]:
    """Read an archive as the kernel does."""
    found, place = [], 0
    while True:
        assert archive[place : place + 6] == b"070701"
        fields = [int(archive[place + 6 + 8 * n : place + 14 + 8 * n], 16) for n in range(13)]
        mode, uid, gid, size, name_size = fields[1], fields[2], fields[3], fields[6], fields[11]
        assert (uid, gid) == (0, 0)
        name = archive[place + 110 : place + 110 + name_size - 1].decode()
        place += (110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found.append((name, mode, archive[place : place + size]))
        place += (size + 3) // 4 * 4


def test_the_initramfs_holds_its_files_as_root() -> None:
    files = {
        "bin": initramfs.directory(),
        "bin/busybox": initramfs.file(b"\x7fELF!", 0o755),
        "odd": initramfs.file(b"abc"),
        "init": initramfs.file(b"", 0o755),
    }
    made = initramfs.archive(files)
    assert entries(gzip.decompress(made)) == [
        ("bin", stat.S_IFDIR | 0o755, b""),
        ("bin/busybox", stat.S_IFREG | 0o755, b"\x7fELF!"),
        ("odd", stat.S_IFREG | 0o644, b"abc"),
        ("init", stat.S_IFREG | 0o755, b""),
    ]
    assert initramfs.archive(files) == made


def test_the_boot_record_names_its_partitions() -> None:
    record = boot_record(b"\xeb" * 500, [Partition(2048, 4096, 0xEF, bootable=True), Partition(6144, 8192, 0x83)])
    assert len(record) == 512
    assert record[:440] == b"\xeb" * 440
    assert record[440:446] == bytes(6)
    assert record[510:] == b"\x55\xaa"
    places = [struct.unpack("<B3xB3xII", record[446 + 16 * n : 462 + 16 * n]) for n in range(4)]
    assert places == [(0x80, 0xEF, 2048, 4096), (0, 0x83, 6144, 8192), (0, 0, 0, 0), (0, 0, 0, 0)]


def test_both_boot_loaders_are_told_the_same() -> None:
    for text in (boot_disk.syslinux_config("console=ttyS0 ro"), boot_disk.systemd_boot_entry("console=ttyS0 ro")):
        assert {"/vmlinuz", "/initrd"} <= set(text.split())
        assert "console=ttyS0 ro\n" in text


def test_a_step_that_fails_says_which_and_why() -> None:
    with pytest.raises(BuildFailed, match=r"ls -d /nowhere failed: .*No such file"):
        run(["ls", "-d", "/nowhere"], timeout=10)
    with pytest.raises(BuildFailed, match=f"not installed.*{HOST_PACKAGES[0]}"):
        run(["no-such-program"], timeout=10)
    with pytest.raises(BuildFailed, match="did not end within"):
        run(["sleep", "10"], timeout=0.05)


def test_the_recipe_has_a_name_of_its_own() -> None:
    assert tiny.recipe_digest() == tiny.recipe_digest()
    assert len(tiny.recipe_digest()) == 16


def test_each_script_of_the_guest_says_by_what_it_is_run() -> None:
    guest = Path(tiny.__file__).with_name("guest")
    scripts = [*(guest / "root/etc/init.d").iterdir(), *(guest / "root/usr/bin").iterdir(), guest / "initramfs/init"]
    assert len(scripts) == 9
    for script in scripts:
        assert script.read_text().startswith(("#!/bin/sh\n", "#!/bin/busybox sh\n")), script
