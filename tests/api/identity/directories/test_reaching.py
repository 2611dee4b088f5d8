"""Directories that are asked in secret, that are down, and that say nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.api.identity.cloud import Cloud, by_password
from tests.api.identity.directories.corp import DOWN, corp, person, project, role
from tests.support.servers import Directory, free_port


@pytest.mark.parametrize("options", [{}, {"use_tls": True}])
async def test_the_directory_is_asked_in_secret(cloud: Cloud, directory: Directory, options: dict[str, Any]) -> None:
    admin = await cloud.admin()
    url = directory.url if options else directory.tls_url
    trusted = await corp(admin, directory, "trusted", url=url, tls_cacertfile=str(directory.ca), **options)
    await person(admin, trusted, "alice")
    await cloud.login("alice", "wonderland", domain=trusted)
    strange = await corp(admin, directory, "strange", url=url, **options)
    refused = await admin("GET", f"/users?domain_id={strange}", status=DOWN)
    assert "certificate" in refused["error"]["message"].lower()
    careless = await corp(admin, directory, "careless", url=url, tls_req_cert="never", **options)
    await person(admin, careless, "alice")


async def test_a_directory_that_is_down_is_told_at_once(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work, member = await corp(admin, directory), await project(admin), await role(admin)
    alice = await person(admin, domain, "alice")
    await admin.put(f"/projects/{work}/users/{alice['id']}/roles/{member}")
    client = await cloud.login("alice", "wonderland", scope={"project": {"id": work}}, domain=domain)
    await admin.patch(f"/domains/{domain}/config/ldap/url", {"config": {"url": f"ldap://127.0.0.1:{free_port()}"}})
    for method, path, body in (
        ("GET", f"/users?domain_id={domain}", None),
        ("GET", f"/groups?domain_id={domain}", None),
        ("GET", f"/users/{alice['id']}", None),
        ("POST", "/auth/tokens", by_password("alice", "wonderland", domain=domain)),
    ):
        refused = await admin(method, path, body, DOWN)
        assert "cannot be reached" in refused["error"]["message"], path
    # Any text is kept as an address, and told where it is used.
    await admin.patch(f"/domains/{domain}/config/ldap/url", {"config": {"url": "https://web.test"}})
    refused = await admin("GET", f"/users?domain_id={domain}", None, DOWN)
    assert "ldap.url: 'https://web.test' is not an address" in refused["error"]["message"]
    # Who asks for everybody is not refused because of one directory, and a token goes on with what was known.
    assert "alice" in {user["name"] for user in (await admin.get("/users"))["users"]}
    cloud.room.clock.jump(61)
    assert [one["id"] for one in (await client.get("/auth/projects"))["projects"]] == [work]
    # A new try after a moment finds it again.
    await admin.patch(f"/domains/{domain}/config/ldap/url", {"config": {"url": directory.url}})
    await person(admin, domain, "alice")


@contextmanager
def silence(*, accepts: bool) -> Iterator[socket.socket]:
    """Somebody who never says a word; he may not even take a connection."""
    with ExitStack() as sockets:
        silent = sockets.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(0 if accepts else 3):
            filling = sockets.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(silent.getsockname())
        yield silent


@pytest.mark.parametrize(("accepts", "why"), [(True, "silent"), (False, "did not answer")])
async def test_a_silent_directory_blocks_nobody(cloud: Cloud, directory: Directory, accepts: bool, why: str) -> None:
    admin = await cloud.admin()
    with silence(accepts=accepts) as silent:
        url = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        hasty = await corp(admin, directory, url=url, connection_timeout=1)
        refused = await admin("GET", f"/users?domain_id={hasty}", status=DOWN)
        assert why in refused["error"]["message"]
        patient = await corp(admin, directory, "patient", url=url, connection_timeout=30)
        waiting = asyncio.create_task(admin("GET", f"/users?domain_id={patient}", status=DOWN))
        for _ in range(3):
            await admin.get("/regions")
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
