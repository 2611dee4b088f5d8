"""The operator's policy files go over every room's defaults, are followed while it runs, and judged at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.db.backends.sqlite import SqliteBackend
from cumulet.programs.cloud import POLICY_SECONDS, Cloud
from cumulet.programs.settings import Settings, SettingsError
from tests.support.target import Target
from tests.support.virtual_time import VirtualClock, VirtualLoop

ASKED = {
    "identity": ("identity:list_users", "GET", "/v3/users", b""),
    "placement": ("placement:resource_providers:list", "GET", "/resource_providers", b""),
    "image": ("get_images", "GET", "/v2/images", b""),
    "network": ("create_network", "POST", "/v2.0/networks", b'{"network": {}}'),
    "block_storage": ("volume:get_all", "GET", "/v3/volumes", b""),
    "compute": ("os_compute_api:servers:index", "GET", "/v2.1/servers", b""),
}
"""By room: a rule, and a request that asks for it."""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    loop = VirtualLoop()
    made = Target(loop, tmp_path)
    made.do(made.build())
    yield made
    made.close()
    loop.close()


def write(state: Path, room: str, text: str) -> None:
    """In YAML for most rooms, in JSON for one."""
    folder = state / "policy" / room
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("policy.json" if room == "image" else "policy.yaml")).write_text(text)


def allowed(target: Target) -> set[str]:
    """The rooms in which an administrator may do what he asks."""

    async def look() -> set[str]:
        follower = asyncio.ensure_future(target.cloud.background())
        await asyncio.sleep(POLICY_SECONDS + 1)
        follower.cancel()
        answers = {
            room: await target.ask(room, method, path, "admin", body) for room, (_, method, path, body) in ASKED.items()
        }
        assert {answer.status for answer in answers.values()} <= {200, 201, 403}
        return {room for room, answer in answers.items() if answer.status != 403}

    found: set[str] = target.do(look())
    return found


def test_every_room_follows_its_files_while_it_runs(target: Target, tmp_path: Path) -> None:
    assert allowed(target) == set(ASKED)
    for room, (rule, *_) in ASKED.items():
        write(tmp_path, room, f'{{"{rule}": "!"}}\n')
    assert allowed(target) == set()
    for room, (rule, *_) in ASKED.items():
        write(tmp_path, room, f'{{"{rule}": "role:admin or"}}\n')
    assert allowed(target) == set()  # a bad edit changes nothing
    for room, (rule, *_) in ASKED.items():
        write(tmp_path, room, f'{{"{rule}": "role:admin or role:cook"}}\n')
    assert allowed(target) == set(ASKED)


@pytest.mark.parametrize("room", ASKED)
async def test_a_cloud_does_not_start_with_a_bad_file(room: str, tmp_path: Path) -> None:
    write(tmp_path, room, f'{{"{ASKED[room][0]}": "role:admin or"}}\n')
    database, loop = Database(SqliteBackend(":memory:")), VirtualLoop()
    with pytest.raises(SettingsError, match=rf"(?s)policy of {room} cannot be used.*policy.*:1.*{ASKED[room][0]}"):
        Cloud(Settings(state_dir=str(tmp_path), mode="simulate"), database, MemoryBus(), VirtualClock(loop))
    await database.close()
    loop.close()
