"""Small images of many formats, good and bad ones, for the tests that look how a cloud tells them apart.

The good ones are made by qemu-img where it is installed. The bad ones are known attacks: each would make its reader
open another file. The manifest is the one that these tests read; JSON is YAML too.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

SIZE = 1 << 20
CONVERTED = {
    "qcow2": ("qcow2", ""),
    "qcow2-old": ("qcow2", "compat=0.10"),
    "vmdk": ("vmdk", "subformat=monolithicSparse"),
    "vmdk-stream": ("vmdk", "subformat=streamOptimized"),
    "vdi": ("vdi", ""),
    "vhd": ("vpc", "subformat=dynamic"),
    "vhdx": ("vhdx", ""),
    "ploop": ("parallels", ""),
}
_NAMES = {"vpc": "vhd", "parallels": "ploop"}


def write(folder: Path) -> Path | None:
    """The manifest of what was written; None where qemu-img is missing."""
    if shutil.which("qemu-img") is None:
        return None
    folder.mkdir(exist_ok=True)
    raw = folder / "raw.img"
    raw.write_bytes(b"A disk without any format. ".ljust(SIZE, b"."))
    images = [_entry("raw", "raw", usable=True)]
    for name, (driver, options) in CONVERTED.items():
        given = ["-o", options] if options else []
        _qemu_img("convert", "-f", "raw", "-O", driver, *given, str(raw), str(folder / f"{name}.img"))
        images.append(_entry(name, _NAMES.get(driver, driver), usable=True))
    for name, disk_format, make in BAD:
        make(folder / f"{name}.img")
        images.append(_entry(name, disk_format, usable=False))
    (folder / "iso.img").write_bytes(_iso())
    images.append(_entry("iso", "iso", usable=True))
    manifest = folder / "manifest.yaml"
    manifest.write_text(json.dumps({"images": images}, indent=1))
    return manifest


def _entry(name: str, disk_format: str, *, usable: bool) -> dict[str, object]:
    return {"name": name, "filename": f"{name}.img", "format": disk_format, "usable": usable}


def _qemu_img(*arguments: str) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, capture_output=True, timeout=60)


def _with_backing_file(path: Path) -> None:
    _qemu_img("create", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", str(path), str(SIZE))


def _with_data_file(path: Path) -> None:
    data = path.with_suffix(".data")
    _qemu_img("create", "-f", "qcow2", "-o", f"data_file={data},data_file_raw=on", str(path), str(SIZE))


def _flat_vmdk(path: Path) -> None:
    """A descriptor alone: its extent is a file of the host."""
    lines = [
        *("# Disk DescriptorFile", "version=1", "CID=fffffffe", "parentCID=ffffffff", 'createType="monolithicFlat"'),
        *(f'RW {SIZE >> 9} FLAT "/etc/passwd" 0', 'ddb.adapterType = "ide"', ""),
    ]
    path.write_text("\n".join(lines))


BAD: tuple[tuple[str, str, Callable[[Path], None]], ...] = (
    ("qcow2-backing-file", "qcow2", _with_backing_file),
    ("qcow2-data-file", "qcow2", _with_data_file),
    ("vmdk-flat", "vmdk", _flat_vmdk),
)


def _iso() -> bytes:
    """A CD of forty sectors: its primary volume descriptor and what ends the list of these."""
    sizes = struct.pack("<I", 40) + struct.pack(">I", 40)
    volume = b"\1CD001\1\0".ljust(80, b"\0") + sizes
    volume = volume.ljust(128, b"\0") + struct.pack("<H", 2048) + struct.pack(">H", 2048)
    end = b"\xffCD001\1"
    return (bytes(32768) + volume.ljust(2048, b"\0") + end.ljust(2048, b"\0")).ljust(40 * 2048, b"\0")
