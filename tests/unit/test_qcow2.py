"""What a qcow2 file says of itself, also while another program writes to it."""

from __future__ import annotations

import io
import struct

import pytest

from cumulet.lib.qcow2 import NotQcow2, header_in

OLD, NEW = 4096, 8192
SIZE = 1 << 30


def header(count: int, place: int) -> bytes:
    """Of a file with so many snapshots, whose list is there."""
    fields = (b"QFI\xfb", 3, 0, 0, 16, SIZE, 0, 0, 0, 0, 0, count, place)
    return struct.pack(">4sIQIIQIIQQIIQ", *fields) + bytes(8)


def snapshot(name: str) -> bytes:
    entry = struct.pack(">QIHHIIQII", 0, 0, 1, len(name), 0, 0, 0, 0, 16) + struct.pack(">QQ", 0, SIZE)
    entry += b"1" + name.encode()
    return entry + bytes(-len(entry) % 8)


class Written(io.BytesIO):
    """A file whose writer goes on, by one of these steps, whenever a list of snapshots is about to be read."""

    def __init__(self, *steps: dict[int, bytes]) -> None:
        super().__init__(bytes(16384))
        self.steps = list(steps)
        self._go_on()

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 0 and place in (OLD, NEW) and self.steps:
            self._go_on()
        return super().seek(place, whence)

    def _go_on(self) -> None:
        for place, text in self.steps.pop(0).items():
            super().seek(place)
            self.write(text)


def test_a_list_that_is_replaced_meanwhile_is_read_again() -> None:
    rubbish = b"\xff" * 256  # what lay there is a guest's by now
    file = Written(
        {0: header(1, OLD), OLD: snapshot("monday")},
        {0: header(2, NEW), NEW: snapshot("monday") + snapshot("tuesday"), OLD: rubbish},
    )
    assert list(header_in(file).snapshots) == ["monday", "tuesday"]


def test_a_list_that_cannot_be_read_though_nobody_writes_is_damage() -> None:
    with pytest.raises(NotQcow2):
        header_in(Written({0: header(1, OLD), OLD: b"\xff" * 256}))


def test_a_file_that_is_none_is_damage_at_once() -> None:
    for text in (b"", b"QFI\xfb", b"rubbish" * 100):
        with pytest.raises(NotQcow2):
            header_in(io.BytesIO(text))
