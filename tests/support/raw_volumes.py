"""Drivers of raw volumes for the suites, with a guest that writes into them past the drivers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cumulet.drivers.hypervisor.base import ImageFiles
from cumulet.drivers.volume.base import Volumes
from cumulet.drivers.volume.raw.files import FileStore
from cumulet.drivers.volume.raw.rbd import RbdStore
from cumulet.drivers.volume.raw.store import Store
from cumulet.drivers.volume.raw.targets import Targets
from cumulet.drivers.volume.raw.volumes import RawVolumes
from cumulet.lib.chap import IQN, LUN, account
from cumulet.lib.librbd import Pool
from tests.support.ceph import VOLUMES, Ceph
from tests.support.patience import HANG_SECONDS
from tests.support.servers import free_port
from tests.support.supplies import Vault

PATTERNS = {"blank": 0, "image": 1, "one": 2, "two": 3}


class Holders:
    """Machines that have volumes open. What is to be done to these, a store does itself."""

    def __init__(self) -> None:
        self.open: dict[str, str] = {}

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return [self.open[volume_id]] if volume_id in self.open else []

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        raise AssertionError("nobody is asked")

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        raise AssertionError("nobody is asked")

    drop_volume_snapshot = take_volume_snapshot


class RawBackend:
    """One of them. `cluster` is where its volumes are; none: they are files."""

    def __init__(self, folder: Path, images: ImageFiles, cluster: Ceph | None) -> None:
        self.folder = folder
        self.images = images
        self.cluster = cluster
        self.machines = Holders()
        # The test's own folder is too deep for sockets.
        self.short = Path(tempfile.mkdtemp(prefix="cumulet-"))
        self.vault = Vault()
        self.keep = self.vault.keep
        self.send = self.vault.send
        self.port = free_port()
        self.raw = self._start()
        self.volumes: Volumes = self.raw

    def _start(self) -> RawVolumes:
        self.targets = Targets(self.short / "target", "", self.port) if self.cluster is None else None
        store, machines = self._store(), self.machines
        return RawVolumes(
            "rbd" if self.cluster else "iscsi",
            store,
            self.short,
            self.images,
            self.vault,
            machines=machines,
            targets=self.targets,
        )

    def _store(self) -> Store:
        if self.cluster is None:
            return FileStore(self.folder / "raw")
        return RbdStore(VOLUMES, "cinder", str(self.cluster.conf))

    def write(self, volume_id: str, word: str) -> None:
        assert self.does(volume_id, f"write -P {PATTERNS[word]} 1M 64k")

    def holds(self, volume_id: str, word: str) -> bool:
        return self.does(volume_id, "-r", f"read -P {PATTERNS[word]} 1M 64k")

    def image_word(self) -> str:
        return "image"

    def lets_in(self, volume_id: str, address: str, secret: str, word: str) -> bool:
        key = self._key(volume_id)  # an initiator gets what is encrypted as it is
        return logged_in(address, secret, f"read -P {PATTERNS[word]} 1M 64k", key)

    def open(self, volume_id: str, machine: str) -> None:
        self.machines.open[volume_id] = machine

    async def restart(self) -> None:
        self.raw.close()
        if self.targets is not None:
            await self.targets.close()
        self.volumes = self.raw = self._start()

    async def close(self) -> None:
        for facts in await self.raw.found():
            await self.raw.remove(facts.id)
        self.raw.close()
        if self.targets is not None:
            await self.targets.halt()
        shutil.rmtree(self.short)

    def names(self) -> list[str]:
        """All that is in the pool."""
        assert self.cluster is not None
        return self.cluster.run("rbd", "ls", VOLUMES).split()

    @contextmanager
    def opened_elsewhere(self, volume_id: str) -> Iterator[None]:
        """Somebody on another host has the volume open."""
        assert self.cluster is not None
        pool = Pool(VOLUMES, "cinder", str(self.cluster.conf))
        volume = pool.open(f"volume-{volume_id}")
        try:
            yield
        finally:
            volume.close()
            pool.close()

    def does(self, volume_id: str, *words: str) -> bool:
        """Whether whoever opens the volume can do this there, in qemu-io's words."""
        *options, doing = words
        if self.cluster is None:
            way = f"driver=file,filename={self.folder}/raw/volume-{volume_id}/disk"
        else:
            way = f"driver=rbd,pool={VOLUMES},image=volume-{volume_id},user=cinder,conf={self.cluster.conf}"
        return _done(options, way, self._key(volume_id), doing)

    def _key(self, volume_id: str) -> str:
        return hashlib.sha256(volume_id.encode()).hexdigest() if self._is_encrypted(volume_id) else ""

    def _is_encrypted(self, volume_id: str) -> bool:
        if self.cluster is not None:
            name = f"{VOLUMES}/volume-{volume_id}"
            return "cumulet.header" in self.cluster.run("rbd", "image-meta", "list", name)
        file = self.folder / "raw" / f"volume-{volume_id}" / "words.json"
        return file.exists() and "cumulet.header" in file.read_text()


def logged_in(address: str, secret: str, doing: str, key: str = "") -> bool:
    """Whether an initiator is let in by a target with this secret, and can do this there."""
    portal, _, target = address.rpartition("/")
    known = account(secret)
    way = {"driver": "iscsi", "transport": "tcp", "portal": portal, "target": target, "lun": LUN, "user": known.name}
    way |= {"password-secret": "chap", "initiator-name": f"{IQN}:test"}
    words = ",".join(f"{name}={value}" for name, value in way.items())
    return _done(["--object", f"secret,id=chap,data={known.password}"], words, key, doing)


def _done(options: Sequence[str], way: str, key: str, doing: str) -> bool:
    argv = ["qemu-io", *options]
    if key:
        argv += ["--object", f"secret,id=luks,data={key}"]
        way = f"driver=luks,key-secret=luks,{','.join(f'file.{part}' for part in way.split(','))}"
    try:
        ended = subprocess.run(
            [*argv, "--image-opts", way, "-c", doing], timeout=HANG_SECONDS, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return False  # nobody answers
    return ended.returncode == 0 and "failed" not in ended.stdout
