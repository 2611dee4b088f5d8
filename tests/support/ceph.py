"""A Ceph cluster of one: a monitor, a manager and a store over a sparse file, on loopback, from Debian's packages.

It takes some ten seconds to start and 400 MB of memory.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import HANG_SECONDS
from tests.support.servers import free_port
from tests.support.started import DidNotStart, started

START_LIMIT = 120.0
POOL, VOLUMES = "images", "volumes"
STORE_BYTES = 4 << 30

_CONF = """
[global]
fsid = {fsid}
mon host = [v2:{address}:{first},v1:{address}:{second}]
public addr = {address}
cluster addr = {address}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 1
osd crush chooseleaf type = 0
run dir = {folder}/run
admin socket = {folder}/run/$cluster-$name.asok
pid file = {folder}/run/$name.pid
log file = {folder}/$name.log
keyring = {folder}/keyring
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = {bytes}
bluestore block create = true
bluestore fsck on mount = false
osd memory target = 939524096
"""
_KEYS = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "osd.0": ("mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"),
    "mgr.x": ("mon", "allow profile mgr", "osd", "allow *"),
    "client.glance": ("mon", "profile rbd", "osd", f"profile rbd pool={POOL}"),
    "client.cinder": ("mon", "profile rbd", "osd", f"profile rbd pool={VOLUMES}, profile rbd-read-only pool={POOL}"),
}


@dataclass(frozen=True, slots=True)
class Ceph:
    conf: Path
    pool: str = POOL
    user: str = "glance"

    def run(self, *command: str, seconds: float = 30) -> str:
        program, *rest = command
        done = subprocess.run(
            [program, "-c", str(self.conf), *rest], capture_output=True, text=True, timeout=seconds, check=True
        )
        return done.stdout

    def names(self) -> list[str]:
        return self.run("rbd", "ls", self.pool).split()

    def empty(self) -> None:
        for name in self.names():
            self.run("rbd", "rm", "--no-progress", f"{self.pool}/{name}")


@contextmanager
def ceph(address: str = "127.0.0.1") -> Iterator[Ceph]:
    """`address` is where hosts reach it."""
    with tempfile.TemporaryDirectory(prefix="ceph-") as name, ExitStack() as running:
        folder = Path(name)
        for part in ("mon", "mgr", "osd", "run"):
            (folder / part).mkdir()
        fsid, first, second = str(uuid.uuid4()), free_port(), free_port()
        conf = folder / "ceph.conf"
        conf.write_text(
            _CONF.format(address=address, fsid=fsid, first=first, second=second, folder=folder, bytes=STORE_BYTES)
        )
        cluster = Ceph(conf)
        _make_keys(folder)
        places = f"[v2:{address}:{first},v1:{address}:{second}]"
        monmap = str(folder / "monmap")
        _call("monmaptool", "--create", "--addv", "a", places, "--fsid", fsid, monmap)
        cluster.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", str(folder / "keyring"))
        running.enter_context(_daemon(cluster, "ceph-mon", "a"))
        cluster.run("ceph", "--connect-timeout", "30", "-s", seconds=45)
        running.enter_context(_daemon(cluster, "ceph-mgr", "x"))
        osd = str(uuid.uuid4())
        cluster.run("ceph", "osd", "new", osd)
        cluster.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, seconds=60)
        running.enter_context(_daemon(cluster, "ceph-osd", "0"))
        cluster.run("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=h", "root=default")
        _wait_until_up(cluster)
        for pool in (POOL, VOLUMES):
            cluster.run("ceph", "osd", "pool", "create", pool, "8")
            cluster.run("rbd", "pool", "init", pool)
        yield cluster


def _make_keys(folder: Path) -> None:
    keyring = str(folder / "keyring")
    _call("ceph-authtool", "--create-keyring", keyring)
    for name, caps in _KEYS.items():
        pairs = [word for place in range(0, len(caps), 2) for word in ("--cap", *caps[place : place + 2])]
        _call("ceph-authtool", keyring, "--gen-key", "-n", name, *pairs)


def _call(*command: str) -> None:
    subprocess.run(command, capture_output=True, timeout=HANG_SECONDS, check=True)


@contextmanager
def _daemon(cluster: Ceph, program: str, name: str) -> Iterator[None]:
    command = [program, "-c", cluster.conf, "-i", name, "-f"]
    with started(program, command, cluster.conf.parent / f"{program}.out"):
        yield


def _wait_until_up(cluster: Ceph) -> None:
    deadline = time.monotonic() + START_LIMIT
    while "1 up" not in cluster.run("ceph", "osd", "stat"):
        if time.monotonic() > deadline:
            raise DidNotStart("the store of Ceph did not come up")
        time.sleep(0.3)
