"""The front door of a room: one visible list of what happens to every request."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec

from cumulet.core.access.access_rules import permits
from cumulet.core.access.caller import Caller
from cumulet.core.errors import (
    BadRequest,
    CloudError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    UnsupportedMediaType,
)
from cumulet.core.room import Room
from cumulet.core.web.body import UNREADABLE
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import Dialect
from cumulet.core.web.request import Receive, Request, Response, Scope, Send, segments
from cumulet.core.web.resource import Endpoint, Resource, Status
from cumulet.core.web.router import Router
from cumulet.core.web.versions import version, window
from cumulet.lib.ids import request_id

log = logging.getLogger("cumulet.api")

Authenticate = Callable[[str, str], Awaitable[Caller]]
"""From (token, service token) to a caller; raises Unauthorized."""

NOBODY = Caller(user_id="")
_PROJECT = re.compile(r"[0-9a-f]{32}\Z|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(kw_only=True)
class Service:
    """A room's manifest: what it is called, where it stands, what it offers."""

    type: str
    name: str
    path: str
    """Where the service stands: `/compute`."""
    prefix: str
    """The major version below that: `/v2.1`."""
    dialect: Dialect
    old_prefix: str = ""
    """The major version before it: the same operations as at the oldest microversion, whatever is asked for."""
    resources: Sequence[Resource] = ()
    routes: Sequence[Endpoint] = ()
    """Below the prefix."""
    roots: Sequence[Endpoint] = ()
    """Beside the prefix: version documents."""
    project_in_path: bool = False
    """The first part below the prefix may be the caller's project id."""
    catalog_project: bool = False
    """The catalogue's URL ends in the project id."""
    catalog_version: bool = True
    """The catalogue's URL names the major version; without it clients ask the version document first."""
    hyphens: bool = False
    """Words of its paths may be joined by hyphens or underscores."""
    description: str = ""

    def endpoints(self) -> list[Endpoint]:
        """Everything below the prefix: the ledger."""
        found = [endpoint for resource in self.resources for endpoint in resource.endpoints]
        found += [action_endpoint(resource) for resource in self.resources if resource.actions]
        return found + list(self.routes)


class FrontDoor:
    """Serves a room's manifest over ASGI."""

    def __init__(self, service: Service, room: Room, authenticate: Authenticate) -> None:
        self.service = service
        self.room = room
        self.dialect = service.dialect
        self._authenticate = authenticate
        self._router = Router(hyphens=service.hyphens)
        for endpoint in service.roots:
            self._router.add(endpoint)
        for endpoint in service.endpoints():
            self._router.add(endpoint, service.prefix)
            if service.old_prefix:
                self._router.add(endpoint, service.old_prefix)
        self._old = f"{service.old_prefix}/"
        self._prefix_parts = len(segments(service.prefix))

    async def __call__(self, scope: Scope, receive: Receive, send: Send, mount: str = "") -> None:
        """Answer one request. `mount` is the part of the path above the service."""
        started = perf_counter()
        raw_path: str = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or scope["path"]
        request = Request(scope, receive, raw_path[len(mount) :], request_id())
        version_number = 0
        headers: dict[str, str] = {}
        try:
            if self._is_old(request):
                version_number = self.dialect.earliest
            else:
                version_number = self.dialect.version_of(request)
                headers = self.dialect.version_headers(version_number)
            response = await self._answer(request, version_number, mount, headers)
        except CloudError as error:
            response = self._refusal(error, request)
        except ConnectionError:
            return  # the client went away; there is nobody to answer
        except Exception as error:
            log.exception("%s %s failed [%s]", request.method, request.path, request.request_id)
            response = self._broken(error, request)
        response.headers.update(headers)
        response.headers["x-openstack-request-id"] = request.request_id
        if self.service.type == "compute":
            response.headers["x-compute-request-id"] = request.request_id
        await response.send(send, head=request.method == "HEAD")
        log.info(
            '%s "%s %s" %d %.4f',
            request.request_id,
            request.method,
            raw_path,
            response.status,
            perf_counter() - started,
        )

    async def _answer(self, request: Request, number: int, mount: str, headers: dict[str, str]) -> Response:
        parts = segments(request.path)
        found = self._router.find(parts)
        caller = NOBODY if found and _is_open(found[0], request.method) else await self._caller(request)
        self._check_access_rules(request, caller, mount)
        if found is None and self.service.project_in_path:
            found = self._below_project(parts, caller)
        return await self._carry_out(request, found, caller, number, mount, headers)

    async def answer(self, request: Request, caller: Caller) -> Response:
        """The answer to somebody who is known already, at the oldest version. Raises CloudError."""
        number = self.dialect.version_of(request)
        found = self._router.find(segments(request.path))
        return await self._carry_out(request, found, caller, number, self.service.path, {})

    async def _carry_out(
        self, request: Request, found: Any, caller: Caller, number: int, mount: str, headers: dict[str, str]
    ) -> Response:
        endpoint, path = self._endpoint(request, found, number)
        prefix = self.service.old_prefix if self._is_old(request) else self.service.prefix
        base = f"{request.origin}{mount}{prefix}"
        call = Call(request, caller, number, self.room.rules, base, self.dialect)
        call.path = path
        if endpoint.body is not None and not endpoint.raw:
            call.wish = endpoint.body.read(await self._json(request, endpoint), number)
        result = await endpoint.run(self.room, call)
        headers.update(call.response_headers)
        if isinstance(result, Response):
            return result
        status = status_at(endpoint.status, number)
        if result is None:
            return Response(status)
        return Response(status, msgspec.json.encode(result), {"content-type": "application/json"})

    def _is_old(self, request: Request) -> bool:
        """Was it asked of the major version that knows no microversions?"""
        return bool(self.service.old_prefix) and f"{request.path}/".startswith(self._old)

    async def _caller(self, request: Request) -> Caller:
        headers = request.headers
        return await self._authenticate(headers.get("x-auth-token", ""), headers.get("x-service-token", ""))

    def _check_access_rules(self, request: Request, caller: Caller, mount: str) -> None:
        """Raise Unauthorized for a request beyond what the caller's application credential was limited to."""
        rules = caller.facts.get("access_rules")
        if rules is None or "service" in caller.service_roles:
            return  # a service that works for the caller was asked by a request that was checked
        if not permits(rules, self.service.type, request.method, (request.path, mount + request.path)):
            raise Unauthorized("The application credential's access rules do not allow this request.")

    def _below_project(self, parts: list[str], caller: Caller) -> Any:
        place = self._prefix_parts
        if len(parts) <= place or not _PROJECT.match(parts[place]):
            return None
        found = self._router.find(parts[:place] + parts[place + 1 :])
        if found and parts[place] != caller.project_id:
            raise BadRequest(
                f"Malformed request URL: URL's project_id '{parts[place]}' doesn't match Context's project_id "
                f"'{caller.project_id}'"
            )
        return found

    def _endpoint(self, request: Request, found: Any, number: int) -> tuple[Endpoint, dict[str, str]]:
        if found is None:
            raise NotFound(f"There is nothing at {request.path[:200]}.")
        by_method, values = found
        if any("\x00" in value for value in values):
            raise NotFound("Nothing has a name or id with a NUL character.")
        choices = by_method.get(request.method)
        if choices is None and request.method == "HEAD":
            choices = by_method.get("GET")
        strict = self.dialect.last_slash_counts and not (choices and choices[0][0].open)
        if (choices is None or strict) and request.path.endswith("/"):
            raise NotFound("The last part of the path, an id, is empty.")
        if choices is None:
            allowed = ", ".join(sorted(by_method))
            raise MethodNotAllowed(f"{request.method} is not allowed here; use {allowed}.", headers={"Allow": allowed})
        for endpoint, names in choices:
            if number in window(endpoint.since, endpoint.until):
                return endpoint, dict(zip(names, values, strict=True))
        refusal = NotFound("This operation does not exist at the microversion that was asked for.")
        refusal.status = choices[0][0].out_of_window
        raise refusal

    async def _json(self, request: Request, endpoint: Endpoint) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        raw = await request.body(endpoint.limit)
        if raw and kind and kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType(f"The content type {kind[:80]} is not supported here; send application/json.")
        if not raw and endpoint.body is not None and not endpoint.body.optional:
            raise BadRequest("The request needs a body in JSON.")
        return raw

    def _refusal(self, error: CloudError, request: Request) -> Response:
        status = self.dialect.status_of(error)
        fault = self.dialect.fault(status, error, request)
        headers = dict(error.headers)
        if status == 401:
            headers["WWW-Authenticate"] = f'Keystone uri="{request.origin}/identity"'
        if isinstance(fault, bytes):
            return Response(status, fault, {"content-type": "text/html; charset=UTF-8", **headers})
        return Response.json(status, fault, headers)

    def _broken(self, error: Exception, request: Request) -> Response:
        bug = CloudError(
            "Cumulet met an unexpected condition and could not finish this request. Please report it with the request "
            f"id {request.request_id}.",
            type_name=type(error).__name__,
        )
        return self._refusal(bug, request)


def _is_open(by_method: Mapping[str, Sequence[tuple[Endpoint, tuple[str, ...]]]], method: str) -> bool:
    """Needs this method no token? A method that is not there is refused alike with and without one."""
    choices = by_method.get(method) or (by_method.get("GET") if method == "HEAD" else None)
    if choices is None:
        return any(endpoint.open for endpoints in by_method.values() for endpoint, _ in endpoints)
    return any(endpoint.open for endpoint, _ in choices)


def status_at(status: Status, number: int) -> int:
    """The success status at a version: that of the newest step not above it."""
    if isinstance(status, int):
        return status
    chosen = 200
    for since, value in status.items():
        if version(since) <= number:
            chosen = value
    return chosen


def action_endpoint(resource: Resource) -> Endpoint:
    """`POST {item}/action`: the body's only key names the verb."""

    async def run(room: Room, call: Call) -> Any:
        raw = await call.request.body(1 << 20)
        try:
            keys = list(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))
        except UNREADABLE as error:
            raise BadRequest(f"The request body is not a JSON object: {error}. Check its syntax.") from error
        if len(keys) != 1:
            raise BadRequest("The body must hold one action: an object with a single key that names it.")
        await resource.find_parent(room, call)
        for action in resource.actions.get(keys[0], ()):
            if call.version in window(action.since, action.until):
                call.wish = action.body.read(raw, call.version)
                row = await resource.find(room, call, call.path[resource.key])
                call.allow(action.rule, resource.target(row))
                result = await action.handler(room, call, row)
                if isinstance(result, Response):
                    return result
                status = status_at(action.status, call.version)
                if result is None:
                    return Response(status)
                return Response.json(status, resource.present(call, result))
        raise BadRequest(f"There is no such action: {keys[0][:60]!r}. Known here: {_known(resource, call)}.")

    return Endpoint("POST", f"{resource.path}/{{{resource.key}}}/action", run, 202, name="action")


def _known(resource: Resource, call: Call) -> str:
    alive = [
        name
        for name, actions in resource.actions.items()
        if any(call.version in window(action.since, action.until) for action in actions)
    ]
    return ", ".join(sorted(alive))
