"""Two API processes over one PostgreSQL and one RabbitMQ: either serves what the other was asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.laptop import Session, log_in
from tests.support.patience import HANG_SECONDS
from tests.support.servers import free_port, postgresql, rabbitmq
from tests.support.started import answers, started

KEYS = ("fernet-keys", "credential-keys", "receipt-keys")


@contextmanager
def serving(state: Path, port: int, nodes: int, database: str, bus: str) -> Iterator[subprocess.Popen[bytes]]:
    """One process; the operator gave all of them the same keys and the same password."""
    settings = {
        "STATE_DIR": state,
        "PORT": port,
        "DATABASE": database,
        "BUS": bus,
        "MODE": "simulate",
        "SIMULATED_NODES": nodes,
        "ADMIN_PASSWORD": "secret",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "CONFIG": state / "settings.toml",
    }
    environment = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        **{f"CUMULET_{name}": str(value) for name, value in settings.items()},
    }
    state.mkdir(exist_ok=True)
    shared = state.parent / "shared"
    (state / "settings.toml").write_text(
        f'[image]\nstaging_path = "{shared}/staging"\nstores.file = {{type = "file", path = "{shared}/images"}}\n'
    )
    command, log = [sys.executable, "-m", "cumulet", "serve"], state / "log"
    with started("serve", command, log, environment=environment) as program:
        program.wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthcheck"))
        yield program.process


def until(true: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + HANG_SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
    return found


def create(session: Session, name: str) -> str:
    flavor = session.ask("GET", "/compute/v2.1/flavors")["flavors"][0]["id"]
    image = session.ask("GET", "/image/v2/images")["images"][0]["id"]
    wish = {"name": name, "flavorRef": flavor, "imageRef": image}
    return str(session.ask("POST", "/compute/v2.1/servers", {"server": wish})["server"]["id"])


def wait_until_active(session: Session, server_id: str) -> None:
    def settled() -> Any:
        server = session.ask("GET", f"/compute/v2.1/servers/{server_id}")["server"]
        assert server["status"] in ("BUILD", "ACTIVE"), server
        return server["status"] == "ACTIVE"

    until(settled)


def images_are_shared_and_caches_are_not(here: Session, there: Session) -> None:
    staged = [stage(here, f"staged {number}") for number in range(2)]
    there.ask("POST", f"{staged[0]}/import", {"method": {"name": "glance-direct"}})
    until(lambda: here.ask("GET", staged[0])["status"] == "active")
    there.ask("DELETE", staged[1])
    assert here.ask("GET", staged[1]) is None

    def cached(session: Session) -> list[str]:
        return [entry["image_id"] for entry in session.ask("GET", "/image/v2/cache")["cached_images"]]

    image_id = staged[0].rpartition("/")[2]
    here.ask("PUT", f"/image/v2/cache/{image_id}")
    until(lambda: cached(here) == [image_id])
    assert cached(there) == []
    there.ask("PUT", f"/image/v2/cache/{image_id}")
    until(lambda: cached(there) == [image_id])
    assert len(here.ask("GET", f"/image/v2/cache/nodes/{image_id}")) == 2
    there.ask("DELETE", "/image/v2/cache")
    assert (cached(here), cached(there)) == ([image_id], [])


def stage(session: Session, name: str) -> str:
    """The path of an image whose data was staged."""
    wish = {"name": name, "disk_format": "raw", "container_format": "bare"}
    path = f"/image/v2/images/{session.ask('POST', '/image/v2/images', wish)['id']}"
    session.upload(f"{path}/stage", b"The bytes of an image.")
    return path


def test_each_serves_what_the_other_was_asked_for_and_survives_its_death(tmp_path: Path) -> None:
    with ExitStack() as stack:
        database, bus = stack.enter_context(postgresql()), stack.enter_context(rabbitmq())
        first_port, second_port = free_port(), free_port()
        stack.enter_context(serving(tmp_path / "first", first_port, 2, database, bus))
        (tmp_path / "second").mkdir()
        for keys in KEYS:
            shutil.copytree(tmp_path / "first" / keys, tmp_path / "second" / keys)
        second = stack.enter_context(serving(tmp_path / "second", second_port, 0, database, bus))
        here = log_in(f"http://127.0.0.1:{first_port}", "secret")
        there = Session(f"http://127.0.0.1:{second_port}", here.token)

        wait_until_active(there, create(here, "asked here"))
        wait_until_active(here, create(there, "asked there"))

        images_are_shared_and_caches_are_not(here, there)

        second.kill()
        second.wait(HANG_SECONDS)
        wait_until_active(here, create(here, "alone"))
        here.ask("GET", "/compute/v2.1/servers/detail")
