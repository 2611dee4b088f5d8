"""Which modules of a kernel a guest needs, and in which order they load."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cumulet.programs.images.commands import BuildFailed

BOOT = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "sd_mod", "ata_piix")
"""To find the root disk."""

ROOT = (
    *("virtio_net", "virtio_balloon", "virtio_console", "virtio_input", "virtio-rng", "button", "evdev", "8021q"),
    *("isofs", "vfat", "nls_ascii", "nls_cp437", "nls_iso8859-1", "qemu_fw_cfg", "sr_mod"),
)
"""To be used by the running guest: cards, buttons, config drives, VLANs."""


def dependencies(text: str) -> dict[str, list[str]]:
    """`modules.dep` as path → paths to load before it, in order."""
    found = {}
    for line in text.splitlines():
        path, _, needed = line.partition(":")
        found[path] = needed.split()[::-1]
    return found


def closure(wanted: Iterable[str], needs: Mapping[str, Sequence[str]], builtin: str) -> list[str]:
    """Paths of the wanted modules after all they need, in an order that loads with plain `insmod`."""
    paths = {_name(path): path for path in needs}
    built_in = {_name(path) for path in builtin.split()}
    ordered: dict[str, None] = {}
    for name in wanted:
        if name in paths:
            ordered.update(dict.fromkeys([*needs[paths[name]], paths[name]]))
        elif name not in built_in:
            raise BuildFailed(f"the kernel has no module {name}")
    return list(ordered)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].partition(".ko")[0]


def read(modules: Path, wanted: Iterable[str]) -> list[str]:
    """`closure` over the folder of a kernel."""
    needs = dependencies((modules / "modules.dep").read_text())
    return closure(wanted, needs, (modules / "modules.builtin").read_text())


def load(path: Path) -> tuple[str, bytes]:
    """File name and content of a module, unpacked if it was compressed: not every `insmod` can do that itself."""
    if path.suffix == ".xz":
        return path.stem, lzma.decompress(path.read_bytes())
    return path.name, path.read_bytes()
