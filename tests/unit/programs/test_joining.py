"""A node joins once, with a token that serves once, and remembers its secret whatever happens to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.contracts.assignments import NodeFacts
from cumulet.programs.node.joining import secret_of
from cumulet.programs.settings import Settings, load

FACTS = NodeFacts(
    name="n", hypervisor="qemu", accelerator="tcg", hypervisor_version=1, vcpus=1, memory_mib=1, disk_gib=1,
    tunnel_address="", address="10.0.0.2:5002",
)  # fmt: skip
URL = "http://controller:5000"


def settings(state: Path, address: str = "10.0.0.2:5002") -> Settings:
    return load({"state_dir": str(state), "node_address": address}, {})


async def test_it_joins_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def join(token: str, facts: NodeFacts) -> str:
        asked.append(token)
        return "sesame"

    for _ in range(2):
        assert await secret_of(settings(tmp_path), URL, "token", FACTS, join) == "sesame"
    assert asked == ["token"]
    (kept,) = tmp_path.iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("node-secret", 0o600)


async def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "node-secret").touch()
    with pytest.raises(SystemExit, match="needs a token"):
        await secret_of(settings(tmp_path), URL, None, FACTS)


async def test_a_node_that_nobody_could_ask_does_not_join(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--address"):
        await secret_of(settings(tmp_path, ""), URL, "token", FACTS)


async def test_the_host_s_own_node_shares_a_file_with_the_api(tmp_path: Path) -> None:
    secret = await secret_of(settings(tmp_path), "unix:/run/socket", None, FACTS)
    assert secret == (tmp_path / "node-secret").read_text()
