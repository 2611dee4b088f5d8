"""A browser that is sent to a provider and comes back to the dashboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.federation.settings import OidcSettings
from tests.api.identity.cloud import Client
from tests.api.identity.federation.making import PROVIDERS, make_provider
from tests.api.identity.federation.meeting import BY_PROXY, DASHBOARD, PROXY, WEBSSO, Meeting, open_meeting
from tests.support.openid_provider import CLIENT, ISSUER

pytestmark = pytest.mark.db


async def start(meeting: Meeting, path: str = WEBSSO) -> Any:
    response = await meeting.cloud.nobody()("GET", f"{path}?origin={DASHBOARD}")
    assert response.status_code == 302, response.text
    return response


def cookie_of(response: Any) -> dict[str, str]:
    return {"cookie": response.headers["set-cookie"].partition(";")[0]}


CLAIMS = {"preferred_username": "j", "userinfo": {"groups": ["staff"]}}


@pytest.mark.parametrize("path", [WEBSSO, "/auth/OS-FEDERATION/websso/openid"])
async def test_a_browser_goes_there_and_back(meeting: Meeting, path: str) -> None:
    left = await start(meeting, path)
    there = urlsplit(left.headers["location"])
    asked = dict(parse_qsl(there.query))
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{ISSUER}/authorize"
    assert asked["redirect_uri"] == f"https://cloud.test/identity/v3{WEBSSO}"
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
    assert asked["scope"].split()[0] == "openid"
    for word in ("HttpOnly", "SameSite=Lax", "Secure"):
        assert word in left.headers["set-cookie"]
    query = meeting.world.browser(left.headers["location"], **CLAIMS)
    back = await meeting.cloud.nobody()("GET", f"{WEBSSO}?{query}", headers=cookie_of(left))
    assert back.status_code == 200, back.text
    assert back.headers["cache-control"] == "no-store"
    assert "form-action https://dashboard.test;" in back.headers["content-security-policy"]
    assert f'action="{DASHBOARD}"' in back.text
    found = re.search(r'name="token" value="([^"]+)"', back.text)
    assert found
    person = Client(meeting.cloud, found[1])
    assert [project["id"] for project in (await person.get("/auth/projects"))["projects"]] == [meeting.project]
    # The code is spent.
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(left))


async def test_an_answer_in_another_browser(meeting: Meeting) -> None:
    mine, other = await start(meeting), await start(meeting)
    query = meeting.world.browser(mine.headers["location"], **CLAIMS)
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401)
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(other))
    name, _, _ = cookie_of(mine)["cookie"].partition("=")
    _, _, sealed = cookie_of(other)["cookie"].partition("=")
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers={"cookie": f"{name}={sealed}"})
    for broken in ("=", f"{name}=x", f"{name}=\u00e9", f"{name}=" + "A" * 300):
        await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers={"cookie": broken.encode()})
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 200, headers=cookie_of(mine))


async def test_an_answer_that_comes_too_late(meeting: Meeting) -> None:
    left = await start(meeting)
    query = meeting.world.browser(left.headers["location"], **CLAIMS)
    meeting.clock.jump(601)
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(left))


async def test_an_answer_that_was_meant_for_another_question(meeting: Meeting) -> None:
    left = await start(meeting)
    query = meeting.world.browser(left.headers["location"], **CLAIMS)
    code = query.partition("&")[0].partition("=")[2]
    meeting.world.people[code]["nonce"] = "of another login"
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(left))
    refused = f"{WEBSSO}?error=access_denied&{query.partition('&')[2]}"
    await meeting.cloud.nobody().get(refused, 401, headers=cookie_of(left))


async def test_a_dashboard_that_is_not_trusted(meeting: Meeting) -> None:
    for path in (WEBSSO, "/auth/OS-FEDERATION/websso/openid"):
        await meeting.cloud.nobody().get(path, 400)
        for origin in ("https://evil.test/", DASHBOARD.rstrip("/"), DASHBOARD + "x"):
            await meeting.cloud.nobody().get(f"{path}?origin={origin}", 401)
    await meeting.cloud.nobody().get(f"/auth/OS-FEDERATION/websso/missing?origin={DASHBOARD}", 404)


async def test_a_browser_that_a_proxy_has_let_in(unprepared: Meeting) -> None:
    meeting = await unprepared.prepare(BY_PROXY)
    path = f"/auth/OS-FEDERATION/websso/openid?origin={DASHBOARD}"
    for method in ("GET", "POST"):
        page = await meeting.cloud.nobody()(method, path, headers=PROXY)
        assert page.status_code == 200
        assert 'name="token"' in page.text
    await meeting.cloud.nobody().get(path, 404, headers=PROXY | {"oidc-iss": "https://other.test"})


async def test_several_providers_to_choose_from(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    settings = OidcSettings(issuer=ISSUER, client_id=CLIENT)
    meeting = await open_meeting(database, bus, tmp_path, oidc={"acme": settings, "second": settings})
    await meeting.prepare(description="<Acme>")
    await make_provider(meeting.admin, "second", enabled=True)
    await meeting.admin.put(f"{PROVIDERS}/second/protocols/openid", {"protocol": {"mapping_id": "m"}}, 201)
    page = await meeting.cloud.nobody()("GET", f"/auth/OS-FEDERATION/websso/openid?origin={DASHBOARD}")
    assert page.status_code == 200
    assert "&lt;Acme&gt;" in page.text
    assert "identity_providers/second/protocols/openid/websso?origin=https%3A%2F%2Fdashboard.test" in page.text
