"""Downloads cloud images: whole, verified and within limits, or not at all. A broken one goes on where it stopped."""

from __future__ import annotations

import fcntl
import hashlib
import http
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, Protocol, cast

from cumulet.programs.images.catalogue import CATALOGUE, CloudImage

MAX_BYTES = 16 << 30
_MAX_CHECKSUMS_BYTES = 4 << 20
_IDLE_SECONDS = 60.0
_PIECE = 1 << 20
_ATTEMPTS = 5

_ALGORITHMS = {32: "md5", 64: "sha256", 128: "sha512"}
"""A digest's kind, by its length in hexadecimal digits."""
_PLAIN = re.compile(r"([0-9a-fA-F]{32,128}) [ *](.+)")
_BSD = re.compile(r"[A-Z0-9-]+ \((.+)\) = ([0-9a-fA-F]{32,128})")

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all); the latter is 0 while unknown."""


class DownloadFailed(Exception):
    """An image could not be had; the message says why and what to do."""


class Response(Protocol):
    """What a server answers."""

    status: int
    headers: Message

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


Open = Callable[[str, int], Response]
"""Asks for a page from a byte on."""


class StaySecure(urllib.request.HTTPRedirectHandler):
    """Mirrors are fine, but what was asked for over TLS is not taken from anywhere else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            raise DownloadFailed(f"{req.full_url} leads to {newurl}, which is not secure")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_url(url: str, start: int) -> Response:
    """Over HTTP or HTTPS, nothing else."""
    if not url.startswith(("https://", "http://")):
        raise DownloadFailed(f"{url} is no address of the web")
    request = urllib.request.Request(url, headers={"User-Agent": "cumulet"})  # noqa: S310  (checked above)
    if start:
        request.add_header("Range", f"bytes={start}-")
    return cast(Response, urllib.request.build_opener(StaySecure).open(request, timeout=_IDLE_SECONDS))


def get(name: str, folder: Path, progress: Progress = lambda *_: None, *, open_page: Open = open_url) -> Path:
    """The file of a well-known image, downloaded into `folder` unless this build is there. Raises `DownloadFailed`."""
    image = CATALOGUE.get(name)
    if image is None:
        raise DownloadFailed(f"There is no image {name!r}. There are: {', '.join(CATALOGUE)}.")
    return download(image, folder, progress, open_page=open_page)


def download(
    image: CloudImage,
    folder: Path,
    progress: Progress = lambda *_: None,
    *,
    open_page: Open = open_url,
    limit: int = MAX_BYTES,
) -> Path:
    """As `get`, for any image."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = image.digest or _published_digest(image, open_page)
    destination = folder / image.file_name
    if destination.exists() and _digest_of(destination, digest) == digest:
        return destination
    part = folder / f"{image.file_name}.part"
    failure: Exception = DownloadFailed("not tried")
    for _ in range(_ATTEMPTS):
        resumed = part.exists() and part.stat().st_size > 0
        try:
            _fetch(image.url, part, limit, progress, open_page)
        except urllib.error.HTTPError as error:
            raise DownloadFailed(f"{image.url}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            failure = error
            continue
        if _digest_of(part, digest) == digest:
            _finish(part, destination)
            return destination
        part.unlink()
        failure = DownloadFailed("it does not have the digest that its maker publishes")
        # What was there before may have been the beginning of another build; a whole wrong file is simply wrong.
        if not resumed:
            break
    raise DownloadFailed(f"{image.url}: {failure}") from failure


def find_digest(text: str, file_name: str) -> str:
    """The digest of a file in a list as `sha256sum` or BSD's `sha256` write it; empty if it is not there."""
    found = ""
    for line in text.splitlines():
        if match := _PLAIN.fullmatch(line.strip()):
            digest, name = match.groups()
        elif match := _BSD.fullmatch(line.strip()):
            name, digest = match.groups()
        else:
            continue
        if name.removeprefix("./") == file_name and len(digest) in _ALGORITHMS and len(digest) > len(found):
            found = digest.lower()
    return found


def _published_digest(image: CloudImage, open_page: Open) -> str:
    try:
        page = open_page(image.checksums, 0)
        try:
            text = page.read(_MAX_CHECKSUMS_BYTES).decode("utf-8", "replace")
        finally:
            page.close()
    except (OSError, http.client.HTTPException) as error:
        raise DownloadFailed(f"{image.checksums}: {error}") from error
    digest = find_digest(text, image.file_name)
    if not digest:
        raise DownloadFailed(f"{image.checksums} does not name {image.file_name}")
    return digest


def _fetch(url: str, part: Path, limit: int, progress: Progress, open_page: Open) -> None:
    """Bring `part` to its full length, from what is there already if the server can."""
    done = part.stat().st_size if part.exists() else 0
    try:
        page = open_page(url, done)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            # There is nothing beyond what we have; the digest will tell whether that is all.
            return
        raise
    try:
        if page.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        length = int(page.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        with part.open("r+b" if part.exists() else "wb") as file:
            _lock(file)
            file.truncate(done)
            file.seek(done)
            while piece := page.read(_PIECE):
                done += len(piece)
                if max(done, total) > limit:
                    raise DownloadFailed(f"{url} is larger than {limit} bytes")
                file.write(piece)
                progress(done, total)
    finally:
        page.close()
    if total and done < total:
        raise ConnectionError(f"{url} ended after {done} of {total} bytes")


def _lock(file: IO[bytes]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DownloadFailed(f"{file.name} is being downloaded by another process") from error


def _digest_of(path: Path, like: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _ALGORITHMS[len(like)]).hexdigest()


def _finish(part: Path, destination: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, destination)
