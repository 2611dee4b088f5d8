"""What drills ask of guests, and of the cloud about them."""

from __future__ import annotations

from functools import partial
from typing import Any

from openstack.connection import Connection

from tests.support.real_cloud import Cloud, eventually


def volume_on(client: Connection, node: str, **wish: Any) -> Any:
    """A volume whose bytes are on this node."""
    storage = client.block_storage
    made = storage.create_volume(size=1, **wish)
    eventually("the volume is made", lambda: storage.get_volume(made.id).status == "available")
    if storage.get_volume(made.id).host.partition("@")[0] != node:
        storage.migrate_volume(made.id, host=f"{node}@local#local")
        eventually(f"the volume is on {node}", partial(_is_there, client, made.id, node))
    return made


def _is_there(client: Connection, volume_id: str, node: str) -> bool:
    seen = client.block_storage.get_volume(volume_id)
    return bool(seen.status == "available" and seen.host.partition("@")[0] == node)


def delete_volumes(client: Connection, *volumes: Any) -> None:
    for volume in volumes:
        client.block_storage.delete_volume(volume.id)
    for volume in volumes:
        eventually("the volume is gone", lambda gone=volume: _is_gone(client, gone.id))  # type: ignore[misc]


def _is_gone(client: Connection, volume_id: str) -> bool:
    return all(volume.id != volume_id for volume in client.block_storage.volumes(details=False))


def from_volume(volume: Any) -> dict[str, Any]:
    """How a server is asked for that starts from this volume."""
    disk = {"source_type": "volume", "destination_type": "volume", "uuid": volume.id, "boot_index": 0}
    return {"image": "", "block_device_mapping": [disk]}


def write(cloud: Cloud, address: str, place: int, word: str, device: str = "/dev/vdb") -> None:
    """The guest writes a word, and knows that it is on the disk."""
    cloud.ssh(address, f"echo {word} | sudo dd of={device} seek={place} conv=fsync,sync 2>/dev/null", 60)


def read(cloud: Cloud, address: str, places: int, device: str = "/dev/vdb") -> list[str]:
    show = f"sudo dd if={device} bs=512 skip=$place count=1 2>/dev/null | tr -d '\\0'"
    return cloud.ssh(address, f"for place in $(seq 0 {places - 1}); do {show}; done", 60).split()
