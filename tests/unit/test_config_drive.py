"""A config drive is a volume that guests can read: checked with a reader that knows only the standard."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.drivers.hypervisor.qemu.config_drive import CONTENT_LIMIT, disk

SECTOR = 2048


def descriptors(volume: bytes) -> dict[int, bytes]:
    found = {}
    for sector in range(16, 32):
        descriptor = volume[sector * SECTOR : (sector + 1) * SECTOR]
        assert descriptor[1:6] == b"CD001"
        if descriptor[0] == 255:
            return found
        found[descriptor[0]] = descriptor
    raise AssertionError("no end of descriptors")


def both(field: bytes) -> int:
    half = len(field) // 2
    small, big = int.from_bytes(field[:half], "little"), int.from_bytes(field[half:], "big")
    assert small == big
    return small


def records(volume: bytes, folder: bytes) -> Iterator[bytes]:
    start, size = both(folder[2:10]), both(folder[10:18])
    assert size % SECTOR == 0
    for sector in range(start, start + size // SECTOR):
        at = sector * SECTOR
        while at < (sector + 1) * SECTOR and volume[at]:
            record = volume[at : at + volume[at]]
            assert at + len(record) <= (sector + 1) * SECTOR
            yield record
            at += len(record)


def read(volume: bytes, folder: bytes, encoding: str, path: str = "") -> dict[str, bytes]:
    files = {}
    own, parent, *children = records(volume, folder)
    assert own[33:34] == b"\0"
    assert parent[33:34] == b"\1"
    assert own[2:18] == folder[2:18]
    names = [child[33 : 33 + child[32]] for child in children]
    assert names == sorted(names, key=lambda name: name.decode(encoding).removesuffix(";1"))
    for child, name in zip(children, names, strict=True):
        if child[25] & 2:
            files |= read(volume, child, encoding, f"{path}{name.decode(encoding)}/")
        else:
            start, size = both(child[2:10]), both(child[10:18])
            text = name.decode(encoding)
            assert text.endswith(";1")
            files[path + text[:-2]] = volume[start * SECTOR : start * SECTOR + size]
    return files


def check(files: dict[str, bytes]) -> None:
    volume = disk(files)
    plain, joliet = descriptors(volume)[1], descriptors(volume)[2]
    assert len(volume) == both(plain[80:88]) * SECTOR
    assert plain[40:72] == b"config-2".ljust(32)
    assert joliet[40:72].decode("utf-16-be").rstrip("\0") == "config-2"
    assert joliet[88:91] == b"%/E"
    assert read(volume, plain[156:190], "ascii") == files
    assert read(volume, joliet[156:190], "utf-16-be") == files
    for descriptor in (plain, joliet):
        size = both(descriptor[132:140])
        for order, at in (("<", 140), (">", 148)):
            sector = struct.unpack(f"{order}I", descriptor[at : at + 4])[0]
            check_path_table(volume, volume[sector * SECTOR : sector * SECTOR + size], order, descriptor[156:190])


def check_path_table(volume: bytes, table: bytes, order: str, root: bytes) -> None:
    """Every folder is listed once, after its parent, and where it says a folder begins that calls itself so."""
    at, number, seen = 0, 0, []
    while at < len(table):
        length, _, sector, parent = struct.unpack_from(f"{order}BBIH", table, at)
        number += 1
        assert parent <= number
        assert both(volume[sector * SECTOR + 2 : sector * SECTOR + 10]) == sector
        seen.append(sector)
        at += 8 + length + length % 2
    assert seen[0] == both(root[2:10])
    assert len(set(seen)) == len(seen)


def test_what_a_guest_looks_for() -> None:
    check(
        {
            "openstack/latest/meta_data.json": b'{"uuid": "maple"}',
            "openstack/latest/user_data": b"x" * 70_000,
            "openstack/latest/network_data.json": b"",
            "openstack/2012-08-10/meta_data.json": b"{}",
            "openstack/content/0000": bytes(2048),
            "ec2/latest/meta-data.json": b"{}",
        }
    )


def test_folders_of_many_files() -> None:
    check({f"openstack/content/{number:04}": str(number).encode() for number in range(300)})


names = st.text("abcXYZ019_-", min_size=1, max_size=12)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(paths, st.binary(max_size=5000), max_size=12))
def test_any_tree(files: dict[str, bytes]) -> None:
    # A name cannot be a file and a folder at once.
    files = {path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    check(files)


def test_equal_content_gives_equal_disks() -> None:
    assert disk({"a": b"1", "b/c": b"2"}) == disk({"b/c": b"2", "a": b"1"})


@pytest.mark.parametrize("path", ["", "/etc/passwd", "a//b", "../x", "a/..", "ä", "x" * 29, "a;1", "a\n", "a\\b"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        disk({path: b""})


def test_a_file_cannot_be_a_folder() -> None:
    with pytest.raises(ValueError, match="in the way"):
        disk({"a": b"", "a/b": b""})
    with pytest.raises(ValueError, match="already"):
        disk({"a/b": b"", "a": b""})


def test_its_size_is_bounded() -> None:
    with pytest.raises(ValueError, match="at most"):
        disk({"a": bytes(CONTENT_LIMIT + 1)})
