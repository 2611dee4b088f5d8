"""Which requests an application credential's access rules allow."""

from __future__ import annotations

import pytest

from cumulet.core.access.access_rules import permits


def rule(path: str, method: str = "GET", service: str = "compute") -> dict[str, str]:
    return {"service": service, "method": method, "path": path}


@pytest.mark.parametrize(
    ("path", "asked", "allowed"),
    [
        ("/v2.1/servers", "/v2.1/servers", True),
        ("/v2.1/servers", "/v2.1/servers/x", False),
        ("/v2.1/servers/*", "/v2.1/servers/x", True),
        ("/v2.1/servers/*", "/v2.1/servers/x/y", False),
        ("/v2.1/servers/{server_id}/ips", "/v2.1/servers/x/ips", True),
        ("/v2.1/**", "/v2.1/servers/x/ips", True),
        ("/v2.1/**", "/v2x1/servers", False),
        ("/v2.1/servers/*", "/v2.1/servers/", False),
    ],
)
def test_paths(path: str, asked: str, allowed: bool) -> None:
    assert permits([rule(path)], "compute", "GET", [asked]) is allowed


def test_method_and_service_must_agree() -> None:
    rules = [rule("/v2.1/servers", "POST")]
    assert permits(rules, "compute", "POST", ["/v2.1/servers"])
    assert not permits(rules, "compute", "GET", ["/v2.1/servers"])
    assert not permits(rules, "network", "POST", ["/v2.1/servers"])
    assert not permits([], "compute", "POST", ["/v2.1/servers"])
