"""Images are what their bytes say, and the known attacks by image are refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.lib.disk_format import Inspection, Inspector, qemu_format

GIB = 1 << 30


def inspect(content: bytes, declared: str = "", piece: int = 1 << 16) -> Inspection:
    inspector = Inspector(declared)
    for start in range(0, len(content), piece):
        inspector.feed(content[start : start + piece])
    return inspector.finish()


def qcow2(*, version: int = 3, backing: int = 0, features: int = 0, size: int = GIB) -> bytes:
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", version, backing, 16 if backing else 0, 16, size)
    return (header.ljust(72, b"\0") + struct.pack(">Q", features)).ljust(1 << 17, b"\0")


def descriptor(create_type: str = "monolithicSparse", extent: str = 'RW 2048 SPARSE "disk.vmdk"') -> bytes:
    lines = ["# Disk DescriptorFile", "version=1", "CID=1", "parentCID=ffffffff", f'createType="{create_type}"', extent]
    return "\n".join([*lines, 'ddb.adapterType = "ide"', ""]).encode()


def vmdk(text: bytes, *, sectors: int = 2048, directory: int = 21, descriptor_sector: int = 1) -> bytes:
    header = struct.pack("<4sIIQQQQIQQ", b"KDMV", 1, 3, sectors, 128, descriptor_sector, 20, 512, 0, directory)
    return (header.ljust(512, b"\0") + text.ljust(20 * 512, b"\0")).ljust(1 << 16, b"\0")


def boot_record(*partitions: tuple[int, int], code: bytes = b"") -> bytes:
    table = b"".join(
        struct.pack("<B3sB3sII", 0, b"\0\2\0", kind, b"\xff" * 3, start, 2048) for kind, start in partitions
    )
    return (code.ljust(446, b"\0") + table.ljust(64, b"\0") + b"\x55\xaa").ljust(1 << 16, b"\0")


def iso(head: bytes = b"") -> bytes:
    volume = (b"\1CD001\1\0").ljust(80, b"\0") + struct.pack("<I", 40) + struct.pack(">I", 40)
    volume = volume.ljust(128, b"\0") + struct.pack("<H", 2048) + struct.pack(">H", 2048)
    return (head.ljust(32768, b"\0") + volume).ljust(40 * 2048, b"\0")


def ploop(magic: bytes = b"WithouFreSpacExt", size: int = GIB) -> bytes:
    return struct.pack("<16sIIIIIQ", magic, 2, 16, 4, 2048, 1, size >> 9).ljust(1 << 16, b"\0")


def luks() -> bytes:
    return struct.pack(">6sH32s32s32sII", b"LUKS\xba\xbe", 1, b"aes", b"xts", b"sha256", 4096, 64).ljust(1 << 16, b"\0")


@pytest.mark.parametrize(
    ("content", "declared", "found", "virtual_size"),
    [
        pytest.param(qcow2(), "qcow2", "qcow2", GIB, id="qcow2"),
        pytest.param(qcow2(version=2), "qcow2", "qcow2", GIB, id="old qcow2"),
        pytest.param(vmdk(descriptor()), "vmdk", "vmdk", 1 << 20, id="vmdk"),
        pytest.param(ploop(), "ploop", "ploop", GIB, id="ploop"),
        pytest.param(ploop(b"WithoutFreeSpace"), "ploop", "ploop", GIB, id="old ploop"),
        pytest.param(bytes(70000), "raw", "raw", 70000, id="raw"),
        pytest.param(b"", "raw", "raw", 0, id="nothing"),
        pytest.param(b"*" * 1000, "raw", "raw", 1000, id="text"),
        pytest.param(b"#!" + b"a" * 600 + b"\xff" * 600, "raw", "raw", 1202, id="a script with an appendix"),
        pytest.param(boot_record((0x83, 2048)), "raw", "gpt", 1 << 16, id="raw with an MBR"),
        pytest.param(boot_record((0xEE, 1)), "gpt", "gpt", 1 << 16, id="GPT"),
        pytest.param(boot_record(code=b"MZ"), "aki", "gpt", 1 << 16, id="a kernel, whose first sector ends alike"),
        pytest.param(iso(), "iso", "iso", 40 * 2048, id="iso"),
        pytest.param(iso(boot_record((0x17, 1))[:512]), "iso", "iso", 40 * 2048, id="bootable iso"),
        pytest.param(luks(), "raw", "luks", 1 << 16, id="encrypted volume"),
    ],
)
def test_an_honest_image_is_recognised(content: bytes, declared: str, found: str, virtual_size: int) -> None:
    assert inspect(content, declared) == Inspection(found, virtual_size, True)


PASSWORDS = 'RW 2048 FLAT "/etc/passwd" 0'


@pytest.mark.parametrize(
    ("content", "declared", "reason"),
    [
        pytest.param(qcow2(backing=104), "qcow2", "backing file", id="qcow2 over /etc/passwd"),
        pytest.param(qcow2(version=2, backing=104), "qcow2", "backing file", id="old qcow2 over /etc/passwd"),
        pytest.param(qcow2(features=1 << 2), "qcow2", "data_file", id="qcow2 with its data elsewhere"),
        pytest.param(qcow2(features=1 << 40), "qcow2", "features", id="qcow2 with a feature of tomorrow"),
        pytest.param(qcow2(version=1), "qcow2", "version", id="qcow"),
        pytest.param(qcow2(backing=104), "raw", "declared as raw", id="qcow2 that claims to be raw"),
        pytest.param(qcow2()[:110], "raw", "declared as raw", id="only the header of a qcow2"),
        pytest.param(bytes(70000), "qcow2", "declared as qcow2", id="raw that claims to be qcow2"),
        pytest.param(vmdk(descriptor()), "raw", "declared as raw", id="vmdk that claims to be raw"),
        pytest.param(vmdk(descriptor(extent=PASSWORDS)), "vmdk", "extent", id="vmdk with a path"),
        pytest.param(vmdk(descriptor("monolithicFlat", PASSWORDS)), "vmdk", "subformat", id="flat vmdk"),
        pytest.param(vmdk(descriptor(extent="")), "vmdk", "extents", id="vmdk without extents"),
        pytest.param(vmdk(descriptor() + b"exec me\n"), "vmdk", "descriptor", id="vmdk with a strange line"),
        pytest.param(
            vmdk(descriptor(), descriptor_sector=9), "vmdk", "cannot be read", id="vmdk with a hidden descriptor"
        ),
        pytest.param(
            vmdk(descriptor(), directory=(1 << 64) - 1) + vmdk(descriptor())[:512].ljust(1024, b"\1"),
            *("vmdk", "ooter"),
            id="vmdk whose footer says otherwise",
        ),
        pytest.param(descriptor("monolithicFlat", PASSWORDS), "vmdk", "subformat", id="vmdk of text only"),
        pytest.param(descriptor("monolithicFlat", PASSWORDS), "raw", "declared as raw", id="such text as raw"),
        pytest.param(b"QED\0".ljust(4096, b"\0"), "qed", "not allowed", id="qed"),
        pytest.param(b"vhdxfile".ljust(1 << 20, b"\1"), "vhdx", "cannot be read", id="vhdx of rubbish"),
        pytest.param(b"vhdxfile", "raw", "declared as raw", id="vhdx cut short"),
        pytest.param(iso(qcow2(backing=104)[:512]), "iso", "several formats", id="qcow2 inside an iso"),
        pytest.param(iso(qcow2(backing=104)[:512]), "qcow2", "several formats", id="iso inside a qcow2"),
        pytest.param(iso(), "raw", "declared as raw", id="iso that claims to be raw"),
        pytest.param(luks(), "qcow2", "declared as qcow2", id="encrypted, that claims to be qcow2"),
        pytest.param(qcow2(), "ploop", "declared as ploop", id="qcow2 as ploop"),
        pytest.param(ploop(), "raw", "declared as raw", id="ploop as raw"),
        pytest.param(b"x" * 4096, "ploop", "declared as ploop", id="anything as ploop"),
        pytest.param(ploop()[:30], "ploop", "size cannot be read", id="the beginning of ploop"),
    ],
)
def test_an_attack_is_refused_with_its_reason(content: bytes, declared: str, reason: str) -> None:
    verdict = inspect(content, declared)
    assert not verdict.safe
    assert reason in "; ".join(verdict.reasons)


def test_without_a_claim_only_the_content_counts() -> None:
    assert inspect(qcow2()).safe
    assert inspect(bytes(100)).safe
    assert not inspect(qcow2(backing=104)).safe


SAMPLES = [qcow2(backing=104), vmdk(descriptor()), descriptor("monolithicFlat", PASSWORDS), iso(), bytes(3000), luks()]


@settings(max_examples=30)
@given(st.sampled_from(SAMPLES), st.lists(st.integers(1, 5000), max_size=20))
def test_the_sizes_of_the_pieces_change_nothing(content: bytes, sizes: list[int]) -> None:
    inspector = Inspector("raw")
    rest = content
    for size in sizes:
        inspector.feed(rest[:size])
        rest = rest[size:]
    inspector.feed(rest)
    assert inspector.finish() == inspect(content, "raw")


@settings(max_examples=60)
@given(
    st.sampled_from(
        [b"QFI\xfb", b"KDMV", b"vhdxfile", b"conectix", b"QED\0", b"LUKS\xba\xbe", b"# Disk Descriptor", b""]
    ),
    st.binary(max_size=3000),
)
def test_rubbish_gets_a_verdict_and_never_an_exception(magic: bytes, rubbish: bytes) -> None:
    verdict = inspect(magic + rubbish, "raw")
    assert isinstance(verdict.virtual_size, int)
    assert verdict.safe or verdict.reasons


def test_qemu_is_told_the_format_by_its_own_name() -> None:
    assert [qemu_format(name) for name in ("ami", "gpt", "iso", "vhd", "qcow2")] == [
        "raw",
        "raw",
        "raw",
        "vpc",
        "qcow2",
    ]
