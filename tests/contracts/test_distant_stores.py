"""What stores over a network do beyond their common promises: how they sign in, fail, and tidy up."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge, Unreachable
from cumulet.drivers.image_store.s3 import S3ImageStore
from cumulet.drivers.image_store.s3_signing import Keys, path_text, signed
from cumulet.drivers.image_store.swift import Account, SwiftImageStore
from cumulet.lib.clock import SECOND
from tests.support.clock import JumpingClock
from tests.support.s3_server import BUCKET, KEYS, client
from tests.support.swift_server import SwiftServer, swift_server

MAPLE = "4f9f9a0e-7f0a-4f0c-9d0e-6a3f5a0b7c11"
MUCH = 1 << 30
PART = 5 << 20


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError


async def content(store: S3ImageStore | SwiftImageStore, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.get(MAPLE, start, length)])


# ---- S3 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/pictures/images/4f9f", {}),
        ("PUT", "/pictures/a b/ü~_.-!*'()", {"partNumber": "7", "uploadId": "a/b+c=="}),
        ("POST", "/pictures/x", {"uploads": ""}),
        ("GET", "/pictures", {"list-type": "2", "prefix": "images/", "continuation-token": "1ueGcx/Pixm36Hy4vbOwM="}),
    ],
)
def test_requests_are_signed_as_others_sign_them(method: str, path: str, query: dict[str, str]) -> None:
    digest = hashlib.sha256(b"body").hexdigest()
    now = datetime.now(UTC)
    ours = signed(KEYS, now, method, "s3.example:9000", path, query, digest)
    request = AWSRequest(
        method, f"http://s3.example:9000{path_text(path)}", {"X-Amz-Content-SHA256": digest}, params=query
    )
    request.context["timestamp"] = ours["x-amz-date"]
    oracle = S3SigV4Auth(Credentials(KEYS.access_key, KEYS.secret_key), "s3", KEYS.region)
    oracle.payload = lambda _: digest  # type: ignore[method-assign, assignment]
    canonical = oracle.canonical_request(_with_host(request, ours["x-amz-date"], digest))
    request.context["timestamp"] = ours["x-amz-date"]
    text = oracle.string_to_sign(request, canonical)
    assert ours["Authorization"].endswith(f"Signature={oracle.signature(text, request)}")


def _with_host(request: AWSRequest, stamp: str, digest: str) -> AWSRequest:
    request.headers["Host"] = "s3.example:9000"
    request.headers["X-Amz-Date"] = stamp
    del request.headers["X-Amz-Content-SHA256"]
    request.headers["X-Amz-Content-SHA256"] = digest
    return request


async def test_a_long_image_goes_in_parts(s3: str) -> None:
    store = S3ImageStore(s3, BUCKET, KEYS, prefix="images/", part=PART)
    data = hashlib.sha256(b"seed").digest() * (11 << 15)
    chunks = pieces(*(data[start : start + 700_001] for start in range(0, len(data), 700_001)))
    assert await store.put(MAPLE, chunks, MUCH) == len(data)
    assert await content(store) == data
    assert await content(store, PART - 3, 10) == data[PART - 3 : PART + 7]
    assert client(s3).head_object(Bucket=BUCKET, Key=f"images/{MAPLE}")["ETag"].strip('"').endswith("-3")


@pytest.mark.parametrize("whole", [0, 2])
async def test_an_upload_that_breaks_leaves_no_parts(s3: str, whole: int) -> None:
    store = S3ImageStore(s3, BUCKET, KEYS, part=PART)
    with pytest.raises(ConnectionResetError):
        await store.put(MAPLE, broken(*[bytes(PART)] * whole, b"x"), MUCH)
    with pytest.raises(TooLarge):
        await store.put(MAPLE, pieces(bytes(PART), b"x"), PART)
    assert "Uploads" not in client(s3).list_multipart_uploads(Bucket=BUCKET)
    assert await store.found() == []


async def test_parts_of_the_dead_are_let_go_after_a_day(s3: str) -> None:
    clock = JumpingClock(int(datetime(2010, 11, 10, 21, tzinfo=UTC).timestamp()) * SECOND)  # this server's only day
    store = S3ImageStore(s3, BUCKET, KEYS, clock=clock)
    client(s3).create_multipart_upload(Bucket=BUCKET, Key=MAPLE)
    await store.found()
    assert len(client(s3).list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1
    clock.jump(25 * 3600)
    await store.found()
    assert "Uploads" not in client(s3).list_multipart_uploads(Bucket=BUCKET)


async def test_only_what_is_an_image_of_this_store_is_found(s3: str) -> None:
    store = S3ImageStore(s3, BUCKET, KEYS, prefix="ours/")
    for key in (f"theirs/{MAPLE}", MAPLE, "ours/read.me", f"ours/{MAPLE}"):
        client(s3).put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert await store.found() == [MAPLE]


async def test_more_images_than_a_page_holds_are_found(s3: str) -> None:
    store = S3ImageStore(s3, BUCKET, KEYS, page=2)
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(5)]
    for key in ids:
        client(s3).put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert await store.found() == ids


async def test_a_server_that_refuses_is_named(s3: str) -> None:
    store = S3ImageStore(s3, "no-such-bucket", KEYS)
    with pytest.raises(Unreachable, match="NoSuchBucket"):
        await store.put(MAPLE, pieces(b"x"), MUCH)
    with pytest.raises(Unreachable, match="NoSuchBucket"):
        await content(store)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", Unreachable, "503"),
        (b"HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n", StoreFull, "507"),
        (b"HTTP/1.1 400 No\r\n\r\n<Error><Code>QuotaExceeded</Code></Error>", StoreFull, "QuotaExceeded"),
        (b"HTTP/1.1 404 No\r\n\r\n<Error><Code>NoSuchKey</Code></Error>", NotStored, "no such object"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Unreachable, "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", Unreachable, "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Unreachable, "cannot be used"),
        (b"what?\r\n\r\n", Unreachable, "cannot be used"),
        (b"", Unreachable, "cannot be used"),
    ],
)
async def test_odd_answers_are_errors_with_a_name(answer: bytes, error: type[Exception], said: str) -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        store = S3ImageStore(url, BUCKET, KEYS, clock=JumpingClock())
        with pytest.raises(error, match=said):
            await content(store)
        if b" 503 " in answer:
            asked = 0
            with pytest.raises(error):
                await store.put(MAPLE, pieces(b"x"), MUCH)
            assert asked == 3


async def test_a_server_that_is_not_there() -> None:
    store = S3ImageStore("http://127.0.0.1:9", BUCKET, Keys("a", "b", "c"), clock=JumpingClock())
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached"):
        await store.put(MAPLE, pieces(b"x"), MUCH)


# ---- Swift -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def swift() -> Iterator[SwiftServer]:
    with swift_server() as server:
        yield server


async def test_a_long_image_goes_in_segments_which_go_with_it(swift: SwiftServer) -> None:
    store = SwiftImageStore(swift.account, swift.container, segment=1000)
    data = bytes(range(256)) * 10
    assert await store.put(MAPLE, pieces(data[:1500], data[1500:1501], data[1501:]), MUCH) == len(data)
    assert [len(swift.objects[name]) for name in swift.manifests[MAPLE]] == [1000, 1000, 560]
    assert await content(store, 999, 1002) == data[999:2001]
    await store.put(MAPLE, pieces(b"again"), MUCH)
    assert (await content(store), len(swift.objects)) == (b"again", 1)
    await store.remove(MAPLE)
    assert (swift.objects, swift.manifests) == ({}, {})


async def test_segments_without_a_manifest_are_found(swift: SwiftServer) -> None:
    store = SwiftImageStore(swift.account, swift.container)
    swift.objects[f"segments/{MAPLE}/attempt/00000000"] = b"left by one who was killed"
    swift.objects["segments/else/attempt/00000000"] = b"somebody else's"
    assert await store.found() == [MAPLE]
    await store.remove(MAPLE)
    assert list(swift.objects) == ["segments/else/attempt/00000000"]


async def test_many_segments_are_removed_page_by_page(swift: SwiftServer) -> None:
    store = SwiftImageStore(swift.account, swift.container)
    swift.objects |= {f"segments/{MAPLE}/attempt/{number:08}": b"x" for number in range(1001)}
    await store.remove(MAPLE)
    assert swift.objects == {}


async def test_a_token_that_has_expired_is_replaced(swift: SwiftServer) -> None:
    store = SwiftImageStore(swift.account, swift.container)
    await store.put(MAPLE, pieces(b"bytes"), MUCH)
    swift.expire_tokens()
    assert await content(store) == b"bytes"
    swift.expire_tokens()
    await store.put(MAPLE, pieces(b"more bytes"), MUCH)
    assert await content(store) == b"more bytes"


async def test_a_full_account_is_told(swift: SwiftServer) -> None:
    swift.most_bytes = 1500
    store = SwiftImageStore(swift.account, swift.container, segment=1000)
    with pytest.raises(StoreFull):
        await store.put(MAPLE, pieces(bytes(2500)), MUCH)
    assert swift.objects == {}


async def test_who_may_not_sign_in_is_told(swift: SwiftServer) -> None:
    nobody = Account(f"{swift.url}/identity/v3", "glance", "wrong", "service")
    with pytest.raises(Unreachable, match="sign in"):
        await content(SwiftImageStore(nobody, swift.container))
    elsewhere = Account(f"{swift.url}/identity/v3", "glance", "secret", "service", region="Elsewhere")
    with pytest.raises(Unreachable, match="Elsewhere"):
        await content(SwiftImageStore(elsewhere, swift.container))
