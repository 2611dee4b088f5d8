"""Images in a container of Swift: a manifest `<id>` over segments `segments/<id>/<attempt>/<number>`.

Segments are streamed as they come, so nothing is gathered here. The manifest is written last: without it the segments
are nobody's, and their id is told among those found, so that whoever owns the store can have them removed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec

from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge, Unreachable
from cumulet.drivers.image_store.http import Answer, Body, Server
from cumulet.lib.ids import is_uuid, new_hex

SEGMENT = 1 << 30
PAGE = 1000
_FULL = (413, 507)


@dataclass(frozen=True)
class Account:
    """Who signs in at which identity service."""

    auth_url: str
    """With its version: …/v3."""
    username: str
    password: str
    project: str
    user_domain: str = "Default"
    project_domain: str = "Default"
    region: str = ""


class SwiftImageStore:
    """The image store of one container, which must exist."""

    name = "swift"
    distant = True

    def __init__(self, account: Account, container: str, segment: int = SEGMENT) -> None:
        self._account = account
        self._container = quote(container, safe="")
        self._segment = segment
        self._token = ""
        self._server = Server("")
        self._signing_in = asyncio.Lock()

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        _check(image_id)
        attempt = f"segments/{image_id}/{new_hex()}/"
        await self._sign_in()  # a stream cannot be sent twice
        source = _Source(chunks, limit)
        sizes: list[int] = []
        try:
            while await source.more():
                before = source.size
                await self._put(f"{attempt}{len(sizes):08}", source.next(self._segment))
                sizes.append(source.size - before)
            # What nobody reads in segments is one object.
            listed = [
                {"path": f"/{self._container}/{attempt}{number:08}", "size_bytes": size}
                for number, size in enumerate(sizes)
            ]
            query = {"multipart-manifest": "put"} if listed else {}
            await self._put(image_id, msgspec.json.encode(listed) if listed else b"", query)
        except BaseException:
            with contextlib.suppress(Unreachable):
                await asyncio.shield(self._remove_all(attempt))
            raise
        await self._remove_all(f"segments/{image_id}/", but=attempt)
        return source.size

    async def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        _check(image_id)
        if length == 0:
            return
        end = "" if length is None else start + length - 1
        headers = {"Range": f"bytes={start}-{end}"} if start or length else {}
        async with self._ask("GET", image_id, headers=headers) as answer:
            if answer.status == 416:  # from beyond the end there is nothing
                return
            _judge(answer)
            async for piece in answer.pieces():
                yield piece

    async def remove(self, image_id: str) -> None:
        _check(image_id)
        await self._remove(image_id)
        await self._remove_all(f"segments/{image_id}/")

    async def found(self) -> list[str]:
        ids = set(await self._list("", "/"))
        ids |= {name.split("/")[1] for name in await self._list("segments/", "/")}
        return sorted(name for name in ids if is_uuid(name))

    # ---- objects -----------------------------------------------------------------------------------------------------

    async def _put(self, name: str, body: Body, query: Mapping[str, str] = {}) -> None:
        async with self._ask("PUT", name, query, body) as answer:
            _judge(answer)

    async def _remove(self, name: str) -> None:
        with contextlib.suppress(NotStored):
            async with self._ask("DELETE", name) as answer:
                _judge(answer)

    async def _remove_all(self, prefix: str, but: str = "-") -> None:
        for name in await self._list(prefix):
            if not name.startswith(but):
                await self._remove(name)

    async def _list(self, prefix: str, delimiter: str = "") -> list[str]:
        """The names that begin so; with a delimiter only what stands before its next one."""
        names: list[str] = []
        query = {"format": "json", "prefix": prefix, "delimiter": delimiter, "limit": str(PAGE), "marker": ""}
        while True:
            async with self._ask("GET", "", query) as answer:
                _judge(answer)
                page = msgspec.json.decode(await answer.whole() or b"[]", type=list[dict[str, object]])
            names += [str(entry.get("name") or entry.get("subdir") or "") for entry in page]
            if len(page) < PAGE:
                return names
            query["marker"] = names[-1]

    @contextlib.asynccontextmanager
    async def _ask(
        self,
        method: str,
        name: str,
        query: Mapping[str, str] = {},
        body: Body | None = None,
        headers: Mapping[str, str] = {},
    ) -> AsyncIterator[Answer]:
        """An answer; once more with a new token where the old one is not taken and nothing was lost by that."""
        if not self._token:
            await self._sign_in()
        for again in (True, False):
            target = f"{self._server.path}/{self._container}" + (f"/{quote(name)}" if name else "")
            target += f"?{urlencode(query)}" if query else ""
            token = {"X-Auth-Token": self._token}
            async with self._server.ask(method, target, {**headers, **token}, body) as answer:
                if answer.status != 401 or not again or not (body is None or isinstance(body, bytes)):
                    yield answer
                    return
            await self._sign_in()

    async def _sign_in(self) -> None:
        account = self._account
        user = {"name": account.username, "domain": {"name": account.user_domain}, "password": account.password}
        wish = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": account.project, "domain": {"name": account.project_domain}}},
            }
        }
        async with self._signing_in:
            server = Server(account.auth_url)
            kind = {"Content-Type": "application/json"}
            async with server.ask("POST", f"{server.path}/auth/tokens", kind, msgspec.json.encode(wish)) as answer:
                if answer.status != 201:
                    raise Unreachable(f"{server.host} let nobody sign in: it answered {answer.status}.")
                token = msgspec.json.decode(await answer.whole(), type=_Answered).token
                self._server = Server(token.endpoint(account.region))
                self._token = answer.headers.get("x-subject-token", "")


class _Endpoint(msgspec.Struct):
    url: str
    interface: str = ""
    region: str | None = None


class _Service(msgspec.Struct):
    type: str
    endpoints: list[_Endpoint] = []


class _Token(msgspec.Struct):
    catalog: list[_Service] = []

    def endpoint(self, region: str) -> str:
        for service in self.catalog:
            for endpoint in service.endpoints:
                fits = endpoint.interface == "public" and region in ("", endpoint.region)
                if service.type == "object-store" and fits:
                    return endpoint.url
        raise Unreachable(f"The identity service knows no object store in region {region or 'any'}.")


class _Answered(msgspec.Struct):
    token: _Token


class _Source:
    """A stream that is read in stretches."""

    def __init__(self, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._chunks, self._limit = chunks, limit
        self._left = b""
        self.size = 0

    async def more(self) -> bool:
        while not self._left:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return False
            self._left = chunk
        return True

    async def next(self, most: int) -> AsyncIterator[bytes]:
        """The next stretch, of at most so many bytes."""
        given = 0
        while given < most and await self.more():
            piece, self._left = self._left[: most - given], self._left[most - given :]
            given += len(piece)
            self.size += len(piece)
            if self.size > self._limit:
                raise TooLarge(f"an image has more than {self._limit} bytes")
            yield piece


def _judge(answer: Answer) -> None:
    if answer.status == 404:
        raise NotStored(f"{answer.where} has no such object")
    if answer.status in _FULL:
        raise StoreFull(f"{answer.where} takes no more: {answer.status}")
    if answer.status >= 300:
        raise Unreachable(f"{answer.where} answered {answer.status}.")


def _check(image_id: str) -> None:
    if not is_uuid(image_id):
        raise ValueError(f"not an id of an image: {image_id!r}")
