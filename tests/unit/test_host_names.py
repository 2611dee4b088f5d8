"""The name of a server as its guest is to be called."""

from __future__ import annotations

import pytest

from cumulet.services.compute.servers.create import hostname_of


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("web", "web"),
        ("My Web_server", "my-web-server"),
        ("guest-1.domain.com", "guest-1-domain-com"),
        ("über.ätzend", "ber-tzend"),
        ("-.a.-", "a"),
        ("x" * 70, "x" * 63),
        ("…", "server-7"),
    ],
)
def test_it_is_one_label(name: str, host: str) -> None:
    assert hostname_of(name, "7") == host
