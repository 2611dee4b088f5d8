"""Programs that serve networks and routers: when they count as ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cumulet.drivers.network.linux.keepalived import Keepalived


async def test_what_a_killed_keepalived_left_does_not_make_the_next_one_ready(tmp_path: Path) -> None:
    ready: list[bool] = []

    class Watched(Keepalived):
        async def start(self, arguments: list[str], is_ready: Callable[[int], bool]) -> None:
            ready.append(is_ready(1))
            (tmp_path / "vrrp_pid").write_text("1")
            ready.append(is_ready(1))

    (tmp_path / "vrrp_pid").write_text("4711")
    await Watched(tmp_path, "router").ensure("vrrp_instance router {}\n")
    assert ready == [False, True]
