"""Bringing an image file into a running cloud, as the administrator, through the image API."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from cumulet.programs.laptop.login import token
from cumulet.programs.settings import Settings

SECONDS = 600.0


class UploadFailed(Exception):
    """The cloud did not take the image; the message has its words."""


class _Told:
    """A file that tells how far it has been read."""

    def __init__(self, file: IO[bytes], size: int, progress: Callable[[int, int], None]) -> None:
        self._file, self._size, self._progress = file, size, progress

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._progress(self._file.tell(), self._size)
        return piece


def upload(settings: Settings, name: str, file: Path, progress: Callable[[int, int], None] = lambda *_: None) -> str:
    """Make a public image of a qcow2 file; its id. One that was begun and failed is removed again."""
    try:
        key = token(settings)
    except OSError as error:
        raise UploadFailed(f"the cloud at {settings.url} does not answer ({error}); start it: cumulet up") from error
    wish = {"name": name, "disk_format": "qcow2", "container_format": "bare", "visibility": "public"}
    made = _ask(settings, "POST", "/image/v2/images", key, json.dumps(wish).encode(), "application/json")
    path, size = f"/image/v2/images/{made['id']}", file.stat().st_size
    try:
        with file.open("rb") as content:
            told = _Told(content, size, progress)
            _ask(settings, "PUT", f"{path}/file", key, told, "application/octet-stream", size)
    except UploadFailed:
        _ask(settings, "DELETE", path, key, b"", "")
        raise
    return str(made["id"])


def _ask(settings: Settings, method: str, path: str, key: str, body: Any, kind: str, size: int | None = None) -> Any:
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=SECONDS)
    headers = {"X-Auth-Token": key}
    if kind:
        headers["Content-Type"] = kind
    if size is not None:
        headers["Content-Length"] = str(size)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UploadFailed(f"{method} {path}: {error}") from error
    finally:
        connection.close()
    if answer.status >= 300:
        raise UploadFailed(f"{method} {path}: {answer.status} {text.decode('utf-8', 'replace')[:500]}")
    return json.loads(text) if text else {}
