"""Lists of servers: filters, sorting, pages, the deleted, and other people's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from cumulet.core.errors import BadRequest, Forbidden
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, Question, narrow, parse_limit, parse_sort
from cumulet.core.web.seeing import seer
from cumulet.core.web.versions import version, window
from cumulet.core.web.wire import parse_bool
from cumulet.lib.clock import parse_iso
from cumulet.services.compute.patterns import ESCAPE, read_pattern
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.resource import listed, servers
from cumulet.services.compute.servers.row import ServerRow, TagRow, Wanted

ADMIN = "os_compute_api:servers:allow_all_filters"
MOST = 1000

_STATUSES = {
    "active": ("ACTIVE",), "build": ("BUILD",), "shutoff": ("SHUTOFF",), "stopped": ("SHUTOFF",), "error": ("ERROR",),
    "paused": ("PAUSED",), "suspended": ("SUSPENDED",), "reboot": ("REBOOT",), "hard_reboot": ("HARD_REBOOT",),
    "rebuild": ("REBUILD",), "resize": ("RESIZE",), "verify_resize": ("VERIFY_RESIZE",), "password": ("PASSWORD",),
    "revert_resize": ("REVERT_RESIZE",), "migrating": ("MIGRATING",), "rescue": ("RESCUE",), "shelved": ("SHELVED",),
    "shelved_offloaded": ("SHELVED_OFFLOADED",), "deleted": ("DELETED",), "soft_deleted": ("SOFT_DELETED",),
}  # fmt: skip


def _boolean_text(text: str) -> bool:
    return parse_bool(text)


def _power(text: str) -> int:
    if not text.isdigit() or len(text) > 3:
        raise ValueError("a power state is a number")
    return int(text)


FILTERS = (
    Filter("name", contains=True),
    Filter("image", "image_id"),
    Filter("flavor", "flavor_id"),
    Filter("reservation_id"),
    Filter("uuid", "id"),
    Filter("ip", "addresses"),
    Filter("ip6", "addresses", since="2.5"),
    Filter("host", rule=ADMIN),
    Filter("node", "host", rule=ADMIN),
    Filter("hostname"),
    Filter("user_id", rule=ADMIN, until="2.82"),
    Filter("user_id", since="2.83"),
    Filter("vm_state"),
    Filter("task_state"),
    Filter("power_state", parse=_power),
    Filter("key_name"),
    Filter("availability_zone", "zone"),
    Filter("launch_index", parse=_power),
    Filter("description", contains=True),
    Filter("locked", parse=_boolean_text, since="2.73"),
    Filter("config_drive", parse=_boolean_text),
    Filter("progress", parse=_power),
    Filter("access_ip_v4"),
    Filter("access_ip_v6"),
)

SORTS = {
    "access_ip_v4": "access_ip_v4", "access_ip_v6": "access_ip_v6", "availability_zone": "zone", "config_drive":
    "config_drive", "created_at": "created_at", "display_description": "description", "display_name": "name",
    "host": "host", "hostname": "hostname", "image_ref": "image_id", "instance_type_id": "flavor_id",
    "key_name": "key_name", "launch_index": "launch_index", "launched_at": "launched_at", "locked": "locked",
    "locked_by": "locked_by", "node": "host", "power_state": "power_state", "progress": "progress",
    "project_id": "project_id", "ramdisk_id": "image_id", "root_device_name": "root_device", "task_state":
    "task_state", "terminated_at": "terminated_at", "updated_at": "updated_at", "user_id": "user_id", "uuid": "id",
    "vm_state": "vm_state",
}  # fmt: skip
LISTING = Listing(filters=FILTERS, sorts=SORTS)
ADMIN_SORTS = frozenset({"host", "node"})


async def list_servers(room: Compute, call: Call, *, brief: bool) -> dict[str, Any]:
    """A page of servers."""
    question = ask_servers(call, "index" if brief else "detail")
    if call.request.one("limit") == "0":
        return {"servers": []}
    async with room.database.read() as tx:
        rows, more = await servers.lister.page(tx, question, "id")
    if brief:
        render = servers.view.render(call, brief=True)
        found = [render(row, call) for row in rows]
    else:
        found = listed(call, rows)
    marker = rows[-1].id if more and rows else ""
    path = "/servers" if brief else "/servers/detail"
    return call.dialect.page("servers", found, url=call.base + path, query=call.request.query, marker=marker)


def ask_servers(call: Call, verb: str) -> Question:
    """The question that a request asks. Raises BadRequest, Forbidden."""
    question, request = Question(), call.request
    admin = call.may(ADMIN)
    whose(call, question, verb)
    for filter_ in FILTERS:
        given = request.all(filter_.name)
        if given and call.version in window(filter_.since, filter_.until) and not (filter_.rule and not admin):
            add_filter(question, filter_, given)
    add_status(question, request.all("status"), admin)
    add_tags(call, question)
    add_deleted(call, question, admin)
    keys, directions = request.all("sort_key"), request.all("sort_dir")
    if not admin and ADMIN_SORTS & set(keys):
        raise Forbidden("Sorting by a host is not allowed to you.")
    if keys or directions:
        question.sort = parse_sort(LISTING, keys or ["created_at"], directions or ["desc"])
    else:
        question.sort = list(LISTING.default_sort)
    question.limit, question.marker = parse_limit(request.one("limit"), MOST), request.one("marker") or ""
    return question


def whose(call: Call, question: Question, verb: str) -> None:
    """Keep to the caller's project unless all of them were asked for, and may be."""
    asked = call.request.one("all_tenants")
    project = call.request.one("project_id") or call.request.one("tenant_id") or ""
    everyone = False
    if asked is not None:
        try:
            everyone = parse_bool(asked) if asked else True
        except ValueError as error:
            raise BadRequest(f"Invalid value for all_tenants: {error}") from error
    if everyone:
        call.allow(f"os_compute_api:servers:{verb}:get_all_tenants")
        if project:
            question.where("project", ServerRow.c.project_id == sa.bindparam("project"), {"project": project})
        return
    if project and call.may(ADMIN) and asked is None and project != call.caller.project_id:
        project = call.caller.project_id
    question.where("own", ServerRow.c.project_id == sa.bindparam("caller_project", type_=sa.String), seer(call))


def add_filter(question: Question, filter_: Filter, given: list[str]) -> None:
    if filter_.name in ("ip", "ip6", "name"):
        add_pattern(question, filter_.name, filter_.column or filter_.name, given[-1])
        return
    try:
        values = [filter_.parse(value) for value in given]
    except ValueError as error:
        raise BadRequest(f"Invalid input for query parameter {filter_.name}: {error}") from error
    if filter_.name == "image":
        values = [value.rstrip("/").rpartition("/")[2] for value in values]
    narrow(question, filter_, ServerRow, values)


def add_pattern(question: Question, name: str, column: str, pattern: str) -> None:
    try:
        read = read_pattern(pattern)
    except ValueError as error:
        raise BadRequest(f"Invalid filter {name}: {error}.") from error
    like = read.like
    if name in ("ip", "ip6"):
        like = '%"addr":"' + ("" if read.start else "%") + read.middle + ('"%' if read.end else "%")
    clause = ServerRow.c[column].like(sa.bindparam(f"pattern_{name}", type_=sa.String), escape=ESCAPE)
    question.where(f"pattern {name}", clause, {f"pattern_{name}": like})


def add_status(question: Question, given: list[str], admin: bool) -> None:
    if not given:
        return
    words = [word for status in given for word in _STATUSES.get(status.lower(), ())]
    if not words:
        question.where("nothing", sa.false())
        return
    if "DELETED" in words and not admin:
        raise Forbidden("Only administrators may list deleted servers.")
    question.where("status", ServerRow.c.status.in_(sa.bindparam("statuses", expanding=True)), {"statuses": words})


def _tagged(name: str) -> Clause:
    return sa.exists().where(TagRow.c.server_id == ServerRow.c.id, TagRow.c.tag.in_(sa.bindparam(name, expanding=True)))


def _count_tagged(name: str) -> Clause:
    count = (
        sa.select(sa.func.count())
        .select_from(TagRow.table)
        .where(TagRow.c.server_id == ServerRow.c.id, TagRow.c.tag.in_(sa.bindparam(name, expanding=True)))
        .scalar_subquery()
    )
    return count >= sa.bindparam(f"{name}_count", type_=sa.Integer)


TAGS: dict[str, Callable[[str], Clause]] = {
    "tags": _count_tagged,
    "tags-any": _tagged,
    "not-tags": lambda name: sa.not_(_count_tagged(name)),
    "not-tags-any": lambda name: sa.not_(_tagged(name)),
}


def add_tags(call: Call, question: Question) -> None:
    if call.version < version("2.26"):
        return
    for parameter, clause in TAGS.items():
        given = call.request.one(parameter)
        if given:
            name = parameter.replace("-", "_")
            tags = sorted({tag for tag in given.split(",") if tag})[:60]
            question.where(parameter, clause(name), {name: tags, f"{name}_count": len(tags)})


def add_deleted(call: Call, question: Question, admin: bool) -> None:
    """The deleted are shown to administrators who ask, and to all who ask what changed since a moment."""
    request = call.request
    question.where("no intents", ServerRow.c.wanted != Wanted.INTENT.value)
    since, before = request.one("changes-since"), request.one("changes-before")
    changed = False
    for name, given, earliest in (("changes-since", since, "2.1"), ("changes-before", before, "2.66")):
        if not given or call.version < version(earliest):
            continue
        try:
            moment = parse_iso(given.replace(" ", "+"))
        except (ValueError, OverflowError) as error:
            raise BadRequest(f"Invalid input for query parameter {name}: {given[:60]!r} is not a date-time") from error
        column = ServerRow.c.updated_at
        bound = sa.bindparam(name.replace("-", "_"), type_=sa.BigInteger)
        question.where(name, column >= bound if name == "changes-since" else column <= bound, {bound.key: moment})
        changed = True
    asked = request.one("deleted")
    if asked is not None and admin:
        deleted = _boolean(asked)
        clause = ServerRow.c.deleted_at != 0 if deleted else ServerRow.c.deleted_at == 0
        question.where(("deleted", deleted), clause)
    elif not changed and "deleted" not in [status.lower() for status in request.all("status")]:
        question.where("alive", ServerRow.c.deleted_at == 0)


def _boolean(text: str) -> bool:
    try:
        return parse_bool(text)
    except ValueError as error:
        raise BadRequest(f"Invalid value for deleted: {error}") from error
