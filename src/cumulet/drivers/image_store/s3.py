"""Images in a bucket of S3, or of any server that speaks as S3 does: one object each, `<prefix><id>`.

An object appears when its last part was sent, whole or not at all. Parts of uploads that were killed stay invisible
until they are a day old; then the next look for what is here lets go of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge, Unreachable
from cumulet.drivers.image_store.http import Answer, Server
from cumulet.drivers.image_store.s3_signing import EMPTY, Keys, path_text, query_text, signed
from cumulet.lib.clock import SECOND, Clock, SystemClock
from cumulet.lib.ids import is_uuid

PART = 16 << 20
"""Bytes of a part. Each five hundred parts it grows by as much, so that ten thousand hold any image."""
PAGE = 1000
ATTEMPTS = 3
STALE = timedelta(days=1)

_FULL = {"QuotaExceeded", "EntityTooLarge", "XMinioStorageFull", "InsufficientCapacity"}
_CODE = re.compile(rb"<Code>([^<]{1,80})</Code>")


class Denied(Unreachable):
    """The server does not want this, now or later."""


class S3ImageStore:
    """The image store of one bucket, or of what begins with `prefix` in it."""

    name = "s3"
    distant = True

    def __init__(
        self,
        url: str,
        bucket: str,
        keys: Keys,
        prefix: str = "",
        part: int = PART,
        page: int = PAGE,
        clock: Clock | None = None,
    ) -> None:
        self._server = Server(url)
        self._bucket, self._prefix = bucket, prefix
        self._part, self._page = part, page
        self._keys = keys
        self._clock = clock or SystemClock()

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        path = self._path(image_id)
        upload, tags, size = "", list[str](), 0
        try:
            async for part in _parts(chunks, limit, self._part):
                size += len(part)
                if not upload:
                    if len(part) < self._part:
                        await self._send("PUT", path, body=part)
                        return size
                    upload = _text(await self._send("POST", path, {"uploads": ""}), "UploadId")
                tags.append(await self._send_part(path, upload, len(tags) + 1, part))
            await self._complete(path, upload, tags)
        except BaseException:
            if upload:
                with contextlib.suppress(Unreachable):
                    await asyncio.shield(self._send("DELETE", path, {"uploadId": upload}))
            raise
        return size

    async def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if length == 0:
            return
        end = "" if length is None else start + length - 1
        headers = {"Range": f"bytes={start}-{end}"} if start or length else {}
        async with self._ask("GET", self._path(image_id), {}, b"", headers) as answer:
            if answer.status == 416:  # from beyond the end there is nothing
                return
            if answer.status not in (200, 206):
                await self._refuse(answer)
            async for piece in answer.pieces():
                yield piece

    async def remove(self, image_id: str) -> None:
        with contextlib.suppress(NotStored):
            await self._send("DELETE", self._path(image_id))

    async def found(self) -> list[str]:
        await self._forget_stale()
        ids: list[str] = []
        query = {"list-type": "2", "prefix": self._prefix, "max-keys": str(self._page)}
        while True:
            page = await self._send("GET", f"/{self._bucket}", query)
            names = [key.removeprefix(self._prefix) for key in _texts(page, "Key")]
            ids += [name for name in names if is_uuid(name)]
            if _text(page, "IsTruncated") != "true":
                return sorted(ids)
            query["continuation-token"] = _text(page, "NextContinuationToken")

    async def _forget_stale(self) -> None:
        """Let go of what killed uploads left."""
        page = await self._send("GET", f"/{self._bucket}", {"uploads": "", "prefix": self._prefix})
        oldest = self._now() - STALE
        for upload in _tree(page).iter():
            if _local(upload.tag) == "Upload":
                told = {_local(child.tag): child.text or "" for child in upload}
                if datetime.fromisoformat(told["Initiated"]) < oldest:
                    await self._send("DELETE", f"/{self._bucket}/{told['Key']}", {"uploadId": told["UploadId"]})

    async def _send_part(self, path: str, upload: str, number: int, part: bytes) -> str:
        async with self._again("PUT", path, {"partNumber": str(number), "uploadId": upload}, part) as answer:
            return answer.headers.get("etag", "")

    async def _complete(self, path: str, upload: str, tags: list[str]) -> None:
        root = ElementTree.Element("CompleteMultipartUpload")
        for number, tag in enumerate(tags, 1):
            part = ElementTree.SubElement(root, "Part")
            ElementTree.SubElement(part, "PartNumber").text = str(number)
            ElementTree.SubElement(part, "ETag").text = tag
        said = await self._send("POST", path, {"uploadId": upload}, ElementTree.tostring(root))
        if code := _CODE.search(said):  # the server may begin its answer before it knows
            raise Unreachable(f"{self._server.host} could not complete an upload: {code[1].decode()}.")

    async def _send(self, method: str, path: str, query: Mapping[str, str] = {}, body: bytes = b"") -> bytes:
        async with self._again(method, path, query, body) as answer:
            return await answer.whole()

    @contextlib.asynccontextmanager
    async def _again(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> AsyncIterator[Answer]:
        """The answer to a request that may be repeated, once the server has no trouble of its own with it."""
        for attempt in range(1, ATTEMPTS + 1):
            begun = False
            try:
                async with self._ask(method, path, query, body) as answer:
                    if answer.status >= 300:
                        await self._refuse(answer)
                    begun = True
                    yield answer
                    return
            except Unreachable as error:
                if begun or attempt == ATTEMPTS or isinstance(error, Denied):
                    raise
            await self._clock.sleep(attempt)

    @contextlib.asynccontextmanager
    async def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, headers: Mapping[str, str] = {}
    ) -> AsyncIterator[Answer]:
        whole = f"{self._server.path}{path}"
        digest = (await asyncio.to_thread(hashlib.sha256, body)).hexdigest() if body else EMPTY
        proof = signed(self._keys, self._now(), method, self._server.host, whole, query, digest)
        target = path_text(whole) + (f"?{query_text(query)}" if query else "")
        async with self._server.ask(method, target, {**headers, **proof}, body) as answer:
            yield answer

    async def _refuse(self, answer: Answer) -> None:
        body = await answer.whole()
        found = _CODE.search(body)
        code = found[1].decode() if found else ""
        if answer.status == 404 and code in ("NoSuchKey", "NoSuchUpload", ""):
            raise NotStored(f"{self._server.host} has no such object")
        if code in _FULL or answer.status == 507:
            raise StoreFull(f"{self._server.host} takes no more: {code or answer.status}")
        said = f"{self._server.host} answered {answer.status} {code}".rstrip()
        raise (Denied if 400 <= answer.status < 500 and answer.status != 429 else Unreachable)(f"{said}.")

    def _path(self, image_id: str) -> str:
        if not is_uuid(image_id):
            raise ValueError(f"not an id of an image: {image_id!r}")
        return f"/{self._bucket}/{self._prefix}{image_id}"

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now() / SECOND, UTC)


async def _parts(chunks: AsyncIterator[bytes], limit: int, least: int) -> AsyncIterator[bytes]:
    """The same bytes as parts: each but the last as long as it must be. There is at least one."""
    part = bytearray()
    size = number = 0
    wanted = least
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"an image has more than {limit} bytes")
        part += chunk
        while len(part) >= wanted:
            yield bytes(part[:wanted])
            del part[:wanted]
            number += 1
            wanted = least * (1 + number // 500)
    if part or not number:
        yield bytes(part)


def _tree(page: bytes) -> ElementTree.Element:
    """An answer as XML. One that declares entities of its own is none."""
    if b"<!" in page:
        raise Unreachable("The server's answer declares a document type, which no S3 does.")
    try:
        return ElementTree.fromstring(page)  # noqa: S314  # nothing is declared in it
    except ElementTree.ParseError as error:
        raise Unreachable(f"The server's answer is no XML: {error}.") from error


def _texts(page: bytes, name: str) -> list[str]:
    """The texts of all elements of this name, whatever their name space."""
    return [found.text or "" for found in _tree(page).iter() if _local(found.tag) == name]


def _text(page: bytes, name: str) -> str:
    return next(iter(_texts(page, name)), "")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
