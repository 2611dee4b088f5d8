"""Which way of running is chosen."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.programs.laptop.mode import decide

ABLE: dict[str, Any] = {"missing": {}, "tun": True, "root": False, "namespaces": lambda: True}


@pytest.mark.parametrize(
    ("asked", "machine", "mode", "remedy"),
    [
        ("", {"root": True}, "real", ""),
        ("", {}, "rootless", ""),
        ("", {"namespaces": lambda: False}, "simulate", "sysctl"),
        ("", {"tun": False, "root": True}, "simulate", "module tun"),
        ("", {"missing": {"nft": "nftables"}, "root": True}, "simulate", "apt-get install nftables"),
        ("simulate", {"root": True}, "simulate", ""),
        ("rootless", {"tun": False}, "rootless", ""),
    ],
)
def test_the_most_real_one_that_the_machine_allows(asked: str, machine: Any, mode: str, remedy: str) -> None:
    choice = decide(asked, **{**ABLE, **machine})

    assert choice.mode == mode
    assert remedy in choice.remedy
    assert bool(remedy) == bool(choice.remedy)
