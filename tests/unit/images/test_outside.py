"""Which addresses an image may be read from."""

from __future__ import annotations

import pytest

from cumulet.drivers.image_store.web import Outside


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1", "::ffff:1.1.1.1"])
def test_the_public_internet_is_outside(address: str) -> None:
    assert Outside().allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff0e::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::",
        "2001::1",
    ],
)
def test_what_may_be_somebodys_inside_is_not(address: str) -> None:
    assert not Outside().allows(address)


def test_networks_that_the_operator_allows_are_read_from() -> None:
    outside = Outside(("10.1.0.0/16", "fec0::/10"))
    assert outside.allows("10.1.2.3")
    assert outside.allows("fec0::1")
    assert not outside.allows("10.2.0.1")
