"""What the kernel tells of logged packets is read whatever it holds."""

from __future__ import annotations

import os
import struct

import pytest

from cumulet.drivers.network.linux.nflog import Logged, described, packets, refusal, requests
from cumulet.drivers.network.linux.watching import heard, tells


def attribute(kind: int, value: bytes) -> bytes:
    whole = struct.pack("=HH", 4 + len(value), kind) + value
    return whole + bytes(-len(whole) % 4)


def message(prefix: bytes, protocol: int, payload: bytes) -> bytes:
    body = bytes(4) + attribute(1, struct.pack("!HBx", protocol, 2)) + attribute(10, prefix) + attribute(9, payload)
    return struct.pack("=IHHII", 16 + len(body), 0x400, 0, 0, 0) + body


FOUR = bytes.fromhex("4500003c1c4640004006b1e60a00000a0a00000b") + struct.pack("!HH", 40000, 443)
SIX = bytes.fromhex("60000000001011ff") + bytes(15) + b"\x01" + bytes(15) + b"\x02" + struct.pack("!HH", 5353, 53)


def test_several_packets_come_in_one_datagram() -> None:
    found = list(packets(message(b"ingress a\0", 0x0800, FOUR) + message(b"egress b c\0", 0x86DD, SIX)))
    assert [logged.prefix for logged in found] == ["ingress a", "egress b c"]
    assert described(found[0]) == {
        "protocol": "tcp",
        "source": "10.0.0.10",
        "destination": "10.0.0.11",
        "source_port": 40000,
        "destination_port": 443,
    }
    six = {"protocol": "udp", "source": "::1", "destination": "::2", "source_port": 5353, "destination_port": 53}
    assert described(found[1]) == six


@pytest.mark.parametrize(
    ("protocol", "packet", "shown"),
    [
        (0x0806, b"", {"protocol": "arp"}),
        (0x88CC, b"", {"protocol": "ethernet 0x88cc"}),
        (0x0800, FOUR[:12], {"protocol": "ethernet 0x0800"}),
        (0x0800, FOUR[:20], {"protocol": "tcp", "source": "10.0.0.10", "destination": "10.0.0.11"}),
        # A later fragment begins with what is no header.
        (
            0x0800,
            FOUR[:6] + b"\x00\x05" + FOUR[8:],
            {"protocol": "tcp", "source": "10.0.0.10", "destination": "10.0.0.11"},
        ),
    ],
)
def test_packets_are_described_as_far_as_they_go(protocol: int, packet: bytes, shown: dict[str, object]) -> None:
    assert described(Logged("", protocol, packet)) == shown


def test_whatever_comes_nothing_breaks() -> None:
    whole = message(b"ingress a\0", 0x0800, FOUR)
    for length in range(len(whole)):
        list(packets(whole[:length]))
    for _ in range(500):
        for logged in packets(os.urandom(64)):
            described(logged)
        described(Logged("", 0x0800, os.urandom(40)))
        described(Logged("", 0x86DD, os.urandom(44)))


def test_a_rule_says_what_is_heard() -> None:
    words = tells("ingress", "p", "g").partition('prefix "')[2].partition('"')[0]
    assert heard(words) == ("ingress", "p", "g")
    assert heard(tells("egress", "p", "").partition('prefix "')[2].partition('"')[0]) == ("egress", "p", "")
    assert heard("") is None


def test_requests_are_whole_messages() -> None:
    for request in requests():
        assert struct.unpack_from("=I", request) == (len(request),)
    assert refusal(struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -1)) == 1
