"""Downloads end whole and verified, or not at all, whatever the server does."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from cumulet.programs.images.catalogue import CATALOGUE, CloudImage
from cumulet.programs.images.download import DownloadFailed, StaySecure, download, find_digest, get, open_url

DATA = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Maker:
    """Publishes one image and its digests, not always well."""

    def __init__(self) -> None:
        self.data = DATA
        self.digests = f"{SHA256} *maple.qcow2\n"
        self.breaks_after: list[int] = []
        """How many bytes to send before hanging up, request by request."""
        self.ranges = True
        self.asked: list[str] = []
        self.url = ""

    def image(self, **changes: str) -> CloudImage:
        wanted = {"url": f"{self.url}/maple.qcow2", "checksums": f"{self.url}/SHA256SUMS", **changes}
        return CloudImage(name="maple", title="Maple", user="maple", **wanted)


@pytest.fixture
def maker() -> Iterator[Maker]:
    maker = Maker()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            maker.asked.append(f"{self.path} {asked}".strip())
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", f"{maker.url}/maple.qcow2")
                self.end_headers()
                return
            body = {"/maple.qcow2": maker.data, "/SHA256SUMS": maker.digests.encode()}.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and maker.ranges else 0
            if start and start >= len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            stop = maker.breaks_after.pop(0) if self.path == "/maple.qcow2" and maker.breaks_after else len(body)
            self.wfile.write(body[start : start + stop])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    maker.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield maker
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_an_image_arrives_and_is_not_fetched_again(maker: Maker, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = download(maker.image(), tmp_path / "images", lambda done, total: told.append((done, total)))
    assert path == tmp_path / "images/maple.qcow2"
    assert path.read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA))
    assert download(maker.image(), tmp_path / "images") == path
    assert maker.asked == ["/SHA256SUMS", "/maple.qcow2", "/SHA256SUMS"]
    assert list((tmp_path / "images").iterdir()) == [path]


def test_a_newer_build_replaces_the_old_one(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "maple.qcow2").write_bytes(b"of last year")
    assert download(maker.image(), tmp_path).read_bytes() == DATA


def test_a_broken_download_goes_on_where_it_stopped(maker: Maker, tmp_path: Path) -> None:
    maker.breaks_after = [2_000_000, 1_000_000]
    assert download(maker.image(), tmp_path).read_bytes() == DATA
    assert maker.asked[1:] == ["/maple.qcow2", "/maple.qcow2 bytes=2000000-", "/maple.qcow2 bytes=3000000-"]


def test_so_does_one_of_an_earlier_process(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "maple.qcow2.part").write_bytes(DATA[:1000])
    assert download(maker.image(), tmp_path).read_bytes() == DATA
    assert maker.asked[1:] == ["/maple.qcow2 bytes=1000-"]


def test_one_that_only_missed_its_name_is_only_verified(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "maple.qcow2.part").write_bytes(DATA)
    assert download(maker.image(), tmp_path).read_bytes() == DATA


def test_a_server_that_cannot_resume_starts_over(maker: Maker, tmp_path: Path) -> None:
    maker.ranges = False
    maker.breaks_after = [2_000_000]
    assert download(maker.image(), tmp_path).read_bytes() == DATA


def test_the_beginning_of_another_build_is_thrown_away(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "maple.qcow2.part").write_bytes(b"of last year")
    assert download(maker.image(), tmp_path).read_bytes() == DATA
    assert maker.asked[1:] == ["/maple.qcow2 bytes=12-", "/maple.qcow2"]


def test_a_wrong_file_is_refused_and_not_kept(maker: Maker, tmp_path: Path) -> None:
    maker.data = DATA[:-1] + b"!"
    with pytest.raises(DownloadFailed, match="digest that its maker publishes"):
        download(maker.image(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_always_hangs_up_is_left_alone_after_some_attempts(maker: Maker, tmp_path: Path) -> None:
    maker.breaks_after = [10] * 20
    with pytest.raises(DownloadFailed, match=r"ended after \d+ of"):
        download(maker.image(), tmp_path)
    assert len(maker.asked) == 6
    assert not (tmp_path / "maple.qcow2").exists()


def test_more_than_the_limit_is_refused(maker: Maker, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="larger than 1000000 bytes"):
        download(maker.image(), tmp_path, limit=1_000_000)
    assert not (tmp_path / "maple.qcow2").exists()


def test_two_at_once_do_not_write_into_one_file(maker: Maker, tmp_path: Path) -> None:
    with (tmp_path / "maple.qcow2.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DownloadFailed, match="another process"):
            download(maker.image(), tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "/gone"}, "404"),
        ({"checksums": "/gone"}, "404"),
        ({"url": "/birch.qcow2"}, "does not name birch.qcow2"),
        ({"url": "file:///etc/passwd", "digest": SHA256}, "no address of the web"),
    ],
)
def test_what_is_not_there_is_said(maker: Maker, tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    maker.digests += f"{SHA256}  gone\n"
    absolute = {key: maker.url + value if value.startswith("/") else value for key, value in changes.items()}
    with pytest.raises(DownloadFailed, match=reason):
        download(maker.image(**absolute), tmp_path)


def test_a_mirror_is_followed_but_never_out_of_tls(maker: Maker, tmp_path: Path) -> None:
    assert download(maker.image(url=f"{maker.url}/moved", digest=SHA256), tmp_path).read_bytes() == DATA
    request = urllib.request.Request("https://maple.example/image")
    with pytest.raises(DownloadFailed, match="not secure"):
        StaySecure().redirect_request(
            request, BytesIO(), 302, "Found", http.client.HTTPMessage(), "http://mirror.example/image"
        )


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"no image 'maple'.*cirros, debian-12"):
        get("maple", tmp_path)
    with pytest.raises(DownloadFailed, match="no address"):
        open_url("ftp://maple.example/", 0)


def test_the_catalogue_is_secure_and_verifiable() -> None:
    for name, image in CATALOGUE.items():
        assert image.name == name
        assert image.url.startswith("https://")
        assert image.checksums.startswith("https://") or len(image.digest) == 64
        assert image.file_name.endswith((".qcow2", ".img"))


@pytest.mark.parametrize(
    "text",
    [
        f"{'0' * 64}  birch.qcow2\n{SHA256}  maple.qcow2\n",
        f"{SHA256} *maple.qcow2",
        f"{SHA256.upper()}  ./maple.qcow2\r\n",
        f"-----BEGIN PGP SIGNED MESSAGE-----\n\n# maple.qcow2: 5 bytes\nSHA256 (maple.qcow2) = {SHA256}\n",
        f"{'0' * 32}  maple.qcow2\n{SHA256}  maple.qcow2\n{'1' * 32}  maple.qcow2\n",
    ],
)
def test_digests_are_found_as_their_makers_write_them(text: str) -> None:
    assert find_digest(text, "maple.qcow2") == SHA256


@pytest.mark.parametrize("text", ["", "maple.qcow2", f"{'0' * 40}  maple.qcow2", f"{SHA256}  notmaple.qcow2", "<html>"])
def test_what_is_no_digest_of_it_is_not_taken_for_one(text: str) -> None:
    assert find_digest(text, "maple.qcow2") == ""
