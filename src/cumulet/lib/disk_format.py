"""What a file of a disk image really is, found from its bytes while they stream past, and whether it may be opened.

Whoever opens an untrusted image can be made to open other files: by a backing file, an external data file or an extent
in a descriptor. So every image is inspected here before any program that understands formats sees it, and from then on
every program is told the format explicitly.

The parsing itself is that of oslo.utils, which has survived the attacks of several years. Around it are two rules: the
first MiB is judged as one piece, so that an attacker cannot steer by the size of his packets, and what cannot be parsed
to the end is refused, not taken for raw.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_utils.imageutils.format_inspector import FileInspector

_HEAD_BYTES = 1 << 20
"""The longest text that any reader of formats takes for a descriptor."""
_SECTOR = 512

_ACCEPTED = {
    "raw": {"raw", "gpt", "luks"},
    "ami": {"raw", "gpt"},
    "aki": {"raw", "gpt"},
    "ari": {"raw", "gpt"},
}
"""What may be found under a declared format. Those not named here must be found as declared."""

_PLAIN = {"raw", "gpt", "iso", "luks"}
"""Files that are the disk itself, byte for byte."""

_QEMU_NAMES = {
    **dict.fromkeys(("raw", "gpt", "iso", "ami", "aki", "ari"), "raw"),
    "vhd": "vpc",
    "ploop": "parallels",
}

_PLOOP = {b"WithoutFreeSpace": "<36xI", b"WithouFreSpacExt": "<36xQ"}
"""How a ploop image begins, and where its sectors are counted. It names no other file, whatever stands in it."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The verdict on one file."""

    format: str
    """`raw`, `gpt` (raw with a GPT or MBR), `iso`, `luks`, `qcow2`, `vmdk`, `vdi`, `vhd`, `vhdx`,
    `qed` or `ploop`."""
    virtual_size: int
    """Bytes of the disk that a guest would see."""
    safe: bool
    reasons: tuple[str, ...] = ()
    """Why it is not safe."""


def is_as_declared(declared: str, found: str) -> bool:
    """Whether what was found may call itself so."""
    return found in _ACCEPTED.get(declared, {declared})


def qemu_format(disk_format: str) -> str:
    """The name under which QEMU knows a disk format of the image API."""
    return _QEMU_NAMES.get(disk_format, disk_format)


class Inspector:
    """Inspects one file: `feed` it all, in pieces of any size, then `finish`."""

    def __init__(self, declared: str = "") -> None:
        """`declared` is the format its owner claims; none given, any safe format is accepted."""
        # Costs a tenth of a second and some MB, which only those who inspect should pay.
        from oslo_utils.imageutils.format_inspector import ALL_FORMATS

        self._declared = declared
        self._candidates = [inspector() for name, inspector in ALL_FORMATS.items() if name != "raw"]
        self._failed: set[FileInspector] = set()
        self._head = bytearray()
        self._start = b""
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        if len(self._start) < _SECTOR:
            self._start += chunk[: _SECTOR - len(self._start)]
        if self._size < _HEAD_BYTES:
            self._head += chunk
            if len(self._head) >= _HEAD_BYTES:
                self._inspect(bytes(self._head))
                self._head.clear()
        else:
            self._inspect(chunk)
        self._size += len(chunk)

    def finish(self) -> Inspection:
        if self._size < _HEAD_BYTES:
            # Readers see a file up to the end of its last sector; cut there, a short header would go unrecognised.
            filler = b"\n" if self._head.isascii() and b"\0" not in self._head else b"\0"
            self._inspect(bytes(self._head) + filler * (-len(self._head) % _SECTOR))
        for candidate in self._candidates:
            candidate.finish()
        found = [candidate for candidate in self._candidates if _is_match(candidate)]
        names = sorted(str(candidate) for candidate in found)
        if names == ["gpt", "iso"]:  # A bootable CD is both, legitimately.
            found = [candidate for candidate in found if str(candidate) == "iso"]
        if len(found) > 1:
            return Inspection("raw", self._size, False, (f"it looks like several formats: {', '.join(names)}",))
        if not found and self._start[:16] in _PLOOP:
            return self._judge_ploop(_PLOOP[self._start[:16]])
        if not found:
            mismatch = self._mismatch("raw")
            return Inspection("raw", self._size, not mismatch, tuple(mismatch))
        return self._judge(found[0])

    def _judge_ploop(self, form: str) -> Inspection:
        reasons = self._mismatch("ploop")
        sectors = 0
        if len(self._start) < struct.calcsize(form):
            reasons.append("its size cannot be read")
        else:
            (sectors,) = struct.unpack_from(form, self._start)
        return Inspection("ploop", sectors * _SECTOR, not reasons, tuple(reasons))

    def _judge(self, found: FileInspector) -> Inspection:
        name = str(found)
        reasons = [*_violations(found), *self._mismatch(name)]
        if found in self._failed:
            reasons.append(f"it begins like {name} but cannot be read as such")
        virtual_size = self._size if name in _PLAIN else _virtual_size(found)
        if virtual_size is None:
            reasons.append("its size cannot be read")
        return Inspection(name, virtual_size or 0, not reasons, tuple(reasons))

    def _inspect(self, chunk: bytes) -> None:
        # What the first piece says may lie elsewhere is looked for in later pieces only; so none may be too long.
        pieces = [chunk[start : start + _HEAD_BYTES] for start in range(0, len(chunk), _HEAD_BYTES)]
        for candidate in self._candidates:
            if candidate not in self._failed:
                try:
                    for piece in pieces:
                        candidate.eat_chunk(piece)
                except Exception:
                    # Bytes of one format break the parser of another in any way. That is of interest only if they
                    # begin like that other format.
                    self._failed.add(candidate)

    def _mismatch(self, found: str) -> list[str]:
        if not self._declared or is_as_declared(self._declared, found):
            return []
        return [f"it is declared as {self._declared} but is {found}"]


def _is_match(candidate: FileInspector) -> bool:
    try:
        return candidate.format_match
    except Exception:
        # The parser of text descriptors fails so on other text.
        return False


def _violations(inspector: FileInspector) -> list[str]:
    from oslo_utils.imageutils.format_inspector import ImageFormatError, SafetyCheckFailed

    if str(inspector) == "gpt":
        # An unusual partition table is the guest's affair: nobody on the host reads it.
        return []
    try:
        inspector.safety_check()
    except SafetyCheckFailed as error:
        return [str(failure) or name for name, failure in sorted(error.failures.items())]
    except ImageFormatError as error:
        return [str(error)]
    return []


def _virtual_size(inspector: FileInspector) -> int | None:
    try:
        return inspector.virtual_size
    except Exception:
        # Any error of a parser over hostile bytes means the same: unreadable.
        return None
