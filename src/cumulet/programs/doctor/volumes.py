"""Checks of what the backends of volumes need that the settings name."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence

from cumulet.drivers.volume.raw.rbd import RbdStore
from cumulet.lib import process
from cumulet.lib.process import ProcessFailed, environment
from cumulet.programs.doctor.finding import REAL, Finding
from cumulet.programs.volume_settings import IscsiBackend, NfsBackend, RbdBackend, VolumeBackend, VolumeSettings

_SECONDS_TO_ANSWER = 35.0


async def backends(settings: VolumeSettings) -> list[Finding]:
    named = settings.backends.items()
    distant = [backend for _, backend in named if isinstance(backend, RbdBackend | IscsiBackend)]
    findings = [finding for name, backend in named for finding in _programs(name, backend)]
    if distant:
        findings.append(await _relays(distant))
    for name, backend in named:
        if isinstance(backend, RbdBackend):
            findings.append(await _pool(name, backend))
    return findings


def _programs(name: str, backend: VolumeBackend) -> Iterator[Finding]:
    if isinstance(backend, IscsiBackend):
        found = shutil.which("tgtd") is not None
        yield Finding(f"Backend {name}", found, "" if found else "not found: tgtd", "apt-get install tgt", REAL)
    if isinstance(backend, NfsBackend):
        mounts = shutil.which("mount.nfs", path=environment()["PATH"]) is not None
        yield nfs(name, "" if mounts else "not found: mount.nfs", os.geteuid())


def nfs(name: str, lacks: str, user: int) -> Finding:
    """Whether shares can be mounted here: by the program for it, and by whom the kernel lets."""
    if lacks:
        return Finding(f"Backend {name}", False, lacks, "apt-get install nfs-common", REAL)
    remedy = "run the node as root: the kernel lets nobody else mount shares"
    return Finding(f"Backend {name}", user == 0, "" if user == 0 else "not root", remedy, REAL)


async def _relays(distant: Sequence[VolumeBackend]) -> Finding:
    """QEMU's drivers for these are a package of their own."""
    kinds = {"rbd" if isinstance(backend, RbdBackend) else "iscsi" for backend in distant}
    try:
        said = (await process.run(["qemu-img", "--help"], timeout=10, check=False)).stdout.decode(errors="replace")
    except ProcessFailed as error:
        said = str(error)
    known = set(said.partition("Supported formats:")[2].split())
    lacking = ", ".join(sorted(kinds - known))
    detail = f"QEMU knows no {lacking}" if lacking else f"QEMU knows {', '.join(sorted(kinds))}"
    return Finding("Volumes by network", not lacking, detail, "apt-get install qemu-block-extra", REAL)


async def _pool(name: str, backend: RbdBackend) -> Finding:
    store = RbdStore(backend.pool, backend.user, backend.conf)
    remedy = (
        f"apt-get install librbd1; {backend.conf} and a keyring that it names, with the key of client.{backend.user}"
        " ('profile rbd' for mon, 'profile rbd pool=…' for osd), must be on each node that has this backend"
    )
    try:
        async with asyncio.timeout(_SECONDS_TO_ANSWER):
            told = await store.about()
            await store.opening("doctor-" + "0" * 32)  # needs the key, and looks at nothing
    except (OSError, TimeoutError) as error:
        return Finding(f"Backend {name}", False, f"the pool {backend.pool} cannot be used: {error}", remedy, REAL)
    finally:
        store.close()
    return Finding(f"Backend {name}", True, f"the pool {backend.pool} has {told.free_gib} GiB free")
