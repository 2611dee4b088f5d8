"""The `cumulet` command as a user types it, over a cloud in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.patience import HANG_SECONDS

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Laptop:
    """A machine whose user has one cloud."""

    state: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cumulet(self, *arguments: str, code: int = 0) -> str:
        """Run it; what it printed. The exit code is as expected."""
        done = subprocess.run(
            [sys.executable, "-m", "cumulet", *arguments, "--state", str(self.state)],
            env={**os.environ, "HOME": str(self.state.parent), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def up(self, *arguments: str, code: int = 0) -> str:
        return self.cumulet("up", *arguments, code=code)


@dataclass(frozen=True, slots=True)
class Session:
    """An administrator's requests to one address, for tests that must not depend on a client."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer; None for 404 and for no content."""
        return _ask(self.url + path, method, body, {"X-Auth-Token": self.token})[0]

    def upload(self, path: str, content: bytes) -> None:
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/octet-stream"}
        _ask(self.url + path, "PUT", content, headers)


def log_in(url: str, password: str) -> Session:
    domain = {"id": "default"}
    user = {"name": "admin", "domain": domain, "password": password}
    scope = {"project": {"name": "admin", "domain": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    return Session(url, _ask(f"{url}/v3/auth/tokens", "POST", body, {})[1]["X-Subject-Token"])


def _ask(url: str, method: str, body: Any, headers: dict[str, str]) -> tuple[Any, Any]:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=HANG_SECONDS) as answer:
            text = answer.read()
            return (json.loads(text) if text else None), answer.headers
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None, error.headers
        raise AssertionError(f"{method} {url}: {error.code} {error.read()[:500]!r}") from error
