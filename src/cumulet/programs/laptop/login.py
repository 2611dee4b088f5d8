"""Logging in to a server, in whatever way this cloud's mode allows."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cumulet.programs.laptop import rootless
from cumulet.programs.secrets import admin_password
from cumulet.programs.settings import Settings

SECONDS = 10
_OPTIONS = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


def log_in(
    settings: Settings, server: str, user: str, command: tuple[str, ...], *, raw: bool, identity: Path | None = None
) -> int:
    """Run ssh (or carry its bytes); the exit code."""
    if settings.mode == "simulate" and not raw:
        print(_console(settings, _find(settings, server)["id"]))
        print("This server is simulated: what it printed is above, and nobody is at home to log in to.")
        return 0
    address = _address(settings, server)
    if raw:
        inside = rootless.prefix(settings) if settings.mode == "rootless" else ()
        # In our place, not beside us: ssh ends its ProxyCommand by a signal, and nobody else would pass that on.
        carrier = [*inside, sys.executable, "-m", "cumulet.programs.laptop.carry", address]
        os.execvp(carrier[0], carrier)  # noqa: S606
    options = [*_OPTIONS, *(("-i", str(identity)) if identity else ()), *_way(settings, address)]
    return subprocess.call(["ssh", *options, f"{user}@{address}", *command])


def _way(settings: Settings, address: str) -> tuple[str, ...]:
    """How ssh reaches the address. It stays outside of the cloud's namespaces, where the user is root and without the
    keys of his own home; only the bytes go through."""
    if settings.mode != "rootless":
        return ()
    carry = [sys.executable, "-m", "cumulet", "ssh", "--state", str(settings.state), "--raw", address]
    return ("-o", "ProxyCommand=" + shlex.join(carry).replace("%", "%%"))


def _address(settings: Settings, server: str) -> str:
    if all(part.isdigit() for part in server.split(".")) and server.count(".") == 3:
        return server
    found = _find(settings, server)
    addresses = [entry for network in found["addresses"].values() for entry in network]
    for entry in addresses:
        if entry.get("OS-EXT-IPS:type") == "floating":
            return str(entry["addr"])
    sys.exit(
        f"{server} has no floating IP. Give it one:\n"
        f"  openstack floating ip create public\n  openstack server add floating ip {server} ADDRESS"
    )


def _find(settings: Settings, server: str) -> Any:
    key = token(settings)
    listed = _get(settings, f"/compute/v2.1/servers/detail?all_tenants=1&name=^{server}$", key)["servers"]
    found = [one for one in listed if server in (one["name"], one["id"])]
    if not found:
        found = [_get(settings, f"/compute/v2.1/servers/{server}", key).get("server")]
    if not found[0]:
        sys.exit(f"There is no server {server!r}. See: openstack server list --all-projects")
    if len(found) > 1:
        sys.exit(f"{len(found)} servers are named {server!r}; use an id: {', '.join(one['id'] for one in found)}")
    return found[0]


def token(settings: Settings) -> str:
    """The administrator's token."""
    user = {"name": "admin", "domain": {"id": "default"}, "password": admin_password(settings)}
    project = {"name": "admin", "domain": {"id": "default"}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/v3/auth/tokens",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with _opened(request) as answer:
        return str(answer.headers["X-Subject-Token"])


def _get(settings: Settings, path: str, token: str) -> Any:
    url = f"http://{settings.host}:{settings.port}{path}"
    request = urllib.request.Request(url, headers={"X-Auth-Token": token})
    try:
        with _opened(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return {}
        raise


def _opened(request: urllib.request.Request) -> Any:
    return urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310 - always our own API, over HTTP


def _console(settings: Settings, server_id: str) -> str:
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/compute/v2.1/servers/{server_id}/action",
        b'{"os-getConsoleOutput": {}}',
        {"Content-Type": "application/json", "X-Auth-Token": token(settings)},
    )
    with _opened(request) as answer:
        return str(json.load(answer)["output"])
