"""`cumulet up` and its kin, as the user of a laptop meets them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cumulet.programs.laptop import processes
from tests.support.laptop import Laptop, log_in
from tests.support.servers import free_port


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    """Nothing of its cloud is left running, whatever the test did."""
    found = Laptop(tmp_path / "cloud", free_port())
    yield found
    processes.stop(found.state, "serve")


def page_of(printed: str) -> str:
    return printed[printed.index("  Cumulet runs at") :]


def ended(pid: int) -> bool:
    """Gone, or only waiting for whoever adopted it to take notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_from_the_first_start_to_the_end(laptop: Laptop) -> None:
    first = laptop.up("--simulate", "--port", str(laptop.port), "--password", "secret")
    assert laptop.url in first
    assert "admin  secret" in first
    pid = processes.running(laptop.state, "serve")
    assert pid is not None

    again = laptop.up()
    assert page_of(again).replace("as at the first start", "as asked") == page_of(first)
    assert processes.running(laptop.state, "serve") == pid

    assert f"running as process {pid}" in laptop.cumulet("status")

    laptop.cumulet("down")
    assert processes.running(laptop.state, "serve") is None
    assert ended(pid)
    assert "not running" in laptop.cumulet("status")
    assert "Nothing was running" in laptop.cumulet("down")

    laptop.up()
    laptop.cumulet("reset", "--yes")
    assert not laptop.state.exists()
    assert processes.running(laptop.state, "serve") is None
    assert "there is no cloud" in laptop.cumulet("status", code=2)


def test_killed_it_comes_back_with_what_it_had(laptop: Laptop) -> None:
    laptop.up("--simulate", "--port", str(laptop.port), "--password", "secret")
    log_in(laptop.url, "secret").ask("POST", "/v3/projects", {"project": {"name": "kept"}})
    pid = processes.running(laptop.state, "serve")
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    laptop.up()

    projects = log_in(laptop.url, "secret").ask("GET", "/v3/projects?name=kept")["projects"]
    assert [project["name"] for project in projects] == ["kept"]
    assert processes.running(laptop.state, "serve") not in (None, pid)


def test_a_port_in_use_is_named_with_the_remedy(laptop: Laptop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", laptop.port))
        taken.listen()
        printed = laptop.up("--simulate", "--port", str(laptop.port), code=1)

    assert f"port {laptop.port} of 127.0.0.1 cannot be used" in printed
    assert "--port" in printed
    assert "Traceback" not in printed
    assert processes.running(laptop.state, "serve") is None


def test_devstacks_settings_are_understood(laptop: Laptop, tmp_path: Path) -> None:
    conf = tmp_path / "local.conf"
    conf.write_text("[[local|localrc]]\nADMIN_PASSWORD=course\nHOST_IP=127.0.0.1\nRABBIT_PASSWORD=$ADMIN_PASSWORD\n")

    printed = laptop.up("--simulate", "--port", str(laptop.port), "--local-conf", str(conf))

    assert "without effect here: RABBIT_PASSWORD" in printed
    clouds = yaml.safe_load((laptop.state / "clouds.yaml").read_text())["clouds"]
    assert clouds["cumulet"]["auth"]["password"] == "course"
    assert log_in(laptop.url, "course").token
