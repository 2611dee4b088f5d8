"""What an operator lets a node promise."""

from __future__ import annotations

import pytest

from cumulet.contracts.assignments import Wire
from cumulet.programs.promises import BadPromise, Packets, packets, wires
from cumulet.programs.settings import SettingsError, load


def test_wires_are_read() -> None:
    assert wires(["public:10:20", "rp_tunnelled:5:"]) == (
        Wire(physical_network="public", egress_kbps=10, ingress_kbps=20),
        Wire(physical_network="rp_tunnelled", egress_kbps=5),
    )
    assert wires([]) == ()


@pytest.mark.parametrize("text", ["", ":1:1", "public:a:1", "public:1:-1", f"public:{2**31}:1", "public:1:2:3"])
def test_what_cannot_be_promised_is_named(text: str) -> None:
    with pytest.raises(BadPromise, match="bandwidths"):
        wires([text])
    with pytest.raises(SettingsError, match="bandwidths"):
        load({"bandwidths": [text]}, {})


def test_a_wire_is_named_once() -> None:
    with pytest.raises(BadPromise, match="each network once"):
        wires(["public:1:1", "public:2:2"])


def test_packets_are_promised_together_or_by_direction() -> None:
    assert packets("1000") == Packets(together=1000)
    assert packets("5:6") == Packets(egress=5, ingress=6)
    assert packets("0") == Packets()
    with pytest.raises(BadPromise, match="packet_rate"):
        packets("many")
