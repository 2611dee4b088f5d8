"""Volumes in real guests: found by their serial, written, and still the same in the next server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from openstack.connection import Connection

from tests.support.real_cloud import Cloud, eventually
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root


@pytest.fixture
def red(cloud: Cloud, client: Connection) -> Iterator[Tenant]:
    tenant = Tenant(cloud, client, "red", "10.0.3.0/24")
    yield tenant
    tenant.leave()


def test_data_stays_when_servers_go(cloud: Cloud, client: Connection, red: Tenant) -> None:
    data = client.block_storage.create_volume(size=1, name="data")
    secret_type(client)
    image = client.image.find_image("tiny").id
    system = client.block_storage.create_volume(size=1, name="system", image_id=image, volume_type="secret")
    safe = client.block_storage.create_volume(size=1, name="safe", volume_type="secret")
    reaches(client, data, "available")
    reaches(client, system, "available")
    assert client.block_storage.get_volume(system.id).is_bootable

    # Into a running server, found there by its serial.
    first = red.server("first")
    address = red.reachable(first)
    cloud.ssh_answers(address)
    client.compute.create_volume_attachment(first, volume_id=data.id)
    reaches(client, data, "in-use")
    eventually(
        "the guest sees it", partial(cloud.ssh, address, f"grep -l {data.id[:20]} /sys/block/vd?/serial || true")
    )
    assert cloud.ssh(address, "cat /sys/block/vdb/serial") == data.id[:20]
    cloud.ssh(address, "echo precious | sudo dd of=/dev/vdb conv=fsync 2>/dev/null")

    # Larger while it is in use.
    client.block_storage.extend_volume(data, 2)
    eventually("it has grown", lambda: cloud.ssh(address, "cat /sys/block/vdb/size") == str(2 << 21))
    reaches(client, data, "in-use")

    # Kept elsewhere while it is in use; what is written later is in what is added.
    backups = [client.block_storage.create_backup(volume_id=data.id, force=True)]
    kept(client, backups[0])
    cloud.ssh(address, "echo worthless | sudo dd of=/dev/vdb seek=4096 conv=fsync 2>/dev/null")
    cloud.ssh(address, "echo worthless | sudo dd of=/dev/vdb conv=fsync 2>/dev/null")
    backups.append(client.block_storage.create_backup(volume_id=data.id, force=True, is_incremental=True))
    kept(client, backups[1])
    reaches(client, data, "in-use")

    # Out again, while the server runs.
    client.compute.delete_volume_attachment(first, data.id)
    reaches(client, data, "available")
    client.block_storage.restore_backup(backups[0].id, volume=data.id)
    kept(client, backups[0])
    reaches(client, data, "available")
    assert cloud.ssh(address, "ls /sys/block") == "vda"
    red.delete_server(first)

    # A server whose own disk is a volume, with the other one from its start.
    disks = [
        {"uuid": system.id, "source_type": "volume", "destination_type": "volume", "boot_index": 0},
        {"uuid": data.id, "source_type": "volume", "destination_type": "volume", "boot_index": -1},
    ]
    second = red.server("second", image="", block_device_mapping=disks)
    address = red.reachable(second)
    cloud.ssh_answers(address)
    assert cloud.ssh(address, "sudo head -c 8 /dev/vdb") == "precious"
    assert cloud.ssh(address, "sudo dd if=/dev/vdb skip=4096 count=1 2>/dev/null | tr -d '\\0' | wc -c") == "0"
    cloud.ssh(address, "echo kept > kept; sync")

    # An encrypted one into a running server; what the guest writes is to be found nowhere on the host.
    reaches(client, safe, "available")
    client.compute.create_volume_attachment(second, volume_id=safe.id)
    reaches(client, safe, "in-use")
    eventually("the guest sees it", lambda: "vdc" in cloud.ssh(address, "ls /sys/block"))
    client.block_storage.extend_volume(safe, 2)
    eventually("it has grown", lambda: cloud.ssh(address, "cat /sys/block/vdc/size") == str(2 << 21))
    cloud.ssh(address, "yes unheard-of | head -c 100000 | sudo dd of=/dev/vdc conv=fsync 2>/dev/null")
    client.compute.delete_volume_attachment(second, safe.id)
    reaches(client, safe, "available")
    volumes = cloud.state / "node" / "volumes"
    assert all(b"unheard-of" not in (volumes / f"{one.id}.qcow2").read_bytes() for one in (safe, system))
    red.delete_server(second)
    reaches(client, system, "available")

    third = red.server("third", image="", block_device_mapping=disks[:1])
    address = red.reachable(third)
    cloud.ssh_answers(address)
    assert cloud.ssh(address, "cat kept") == "kept"
    red.delete_server(third)
    for volume in (data, system, safe):
        reaches(client, volume, "available")
        client.block_storage.delete_volume(volume)
        eventually("the volume is gone", partial(gone, client, volume))
    for backup in reversed(backups):
        client.block_storage.delete_backup(backup)
    eventually("the backups are gone", lambda: not list(client.block_storage.backups()))
    assert not [path for path in (cloud.state / "backups" / "images").rglob("*") if path.is_file()]
    assert not list((cloud.state / "node" / "volumes").iterdir())


def secret_type(client: Connection) -> None:
    """A type of encrypted volumes."""
    made = client.block_storage.create_type(name="secret")
    client.block_storage.create_type_encryption(made, provider="luks", control_location="front-end", key_size=256)


def reaches(client: Connection, volume: Any, status: str) -> None:
    def look() -> bool:
        seen = client.block_storage.get_volume(volume.id)
        assert not seen.status.startswith("error"), seen.status
        return bool(seen.status == status)

    eventually(f"volume {volume.name} {status}", look)


def kept(client: Connection, backup: Any) -> None:
    def look() -> bool:
        seen = client.block_storage.get_backup(backup.id)
        assert seen.status != "error", seen.fail_reason
        return bool(seen.status == "available")

    eventually("the backup is available", look)


def gone(client: Connection, volume: Any) -> bool:
    return volume.id not in {one.id for one in client.block_storage.volumes()}
