"""A server goes from host to host: running, and nobody notices; off, and its disk is there."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.support.real_cloud import Cloud
from tests.support.real_rack import Rack, real_rack
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root

WORD_AND_UPTIME = "sudo cat /root/word; cut -d. -f1 /proc/uptime"


@pytest.fixture
def rack() -> Iterator[Rack]:
    with real_rack(2) as rack:
        yield rack


def test_a_server_goes_there_running_and_comes_back_off(rack: Rack) -> None:
    cloud, [far] = rack.cloud, rack.others
    client = cloud.client()
    blue = Tenant(cloud, client, "blue")
    server = blue.server("one", availability_zone="nova:near")
    address = blue.reachable(server)
    cloud.ssh_answers(address)
    cloud.ssh(address, "echo kept | sudo tee /root/word && sudo sync")
    with talking(cloud, address) as session:
        session.hears("one")
        client.compute.live_migrate_server(server.id, host="far", block_migration="auto")
        moved = blue.become(server, "ACTIVE")
        assert moved.compute_host == "far", rack.logs()[-3000:]
        assert [len(host.running("qemu-system-x86_64")) for host in (cloud.host, far.host)] == [0, 1]
        session.hears("two")
    word, uptime = cloud.ssh(address, WORD_AND_UPTIME).splitlines()
    assert word == "kept"
    (move,) = client.compute.migrations(instance_uuid=server.id)
    assert (move.status, move.migration_type) == ("completed", "live-migration")

    client.compute.migrate_server(server.id, host="near")
    assert blue.become(server, "VERIFY_RESIZE", 120).compute_host == "near", rack.logs()[-3000:]
    client.compute.confirm_server_resize(server.id)
    blue.become(server, "ACTIVE")
    assert [len(host.running("qemu-system-x86_64")) for host in (cloud.host, far.host)] == [1, 0]
    cloud.ssh_answers(address)
    word, again = cloud.ssh(address, WORD_AND_UPTIME).splitlines()
    assert word == "kept"
    assert int(again) < int(uptime) + 30, "it was started anew here"
    blue.leave()


@dataclass
class Session:
    """A login that stays open: the guest says back what it is told, over one and the same connection."""

    process: subprocess.Popen[str]

    def hears(self, word: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, f"the guest did not answer {word!r}"
        assert self.process.stdout.readline().strip() == word


@contextmanager
def talking(cloud: Cloud, address: str) -> Iterator[Session]:
    argv = [word for word in cloud.ssh_argv(address, "cat", 10) if word != "-n"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Session(process)
        finally:
            process.kill()
