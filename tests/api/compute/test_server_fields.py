"""What a server shows at each microversion, to its owner and to an administrator: the contract's windows as a table."""

from __future__ import annotations

import pytest

from tests.support.small_cloud import SmallCloud

EVERYBODY = {
    "id": 1, "name": 1, "status": 1, "tenant_id": 1, "user_id": 1, "metadata": 1, "hostId": 1, "image": 1,
    "flavor": 1, "created": 1, "updated": 1, "addresses": 1, "accessIPv4": 1, "accessIPv6": 1, "links": 1,
    "progress": 1, "OS-DCF:diskConfig": 1, "OS-EXT-AZ:availability_zone": 1, "config_drive": 1, "key_name": 1,
    "OS-SRV-USG:launched_at": 1, "OS-SRV-USG:terminated_at": 1, "security_groups": 1, "OS-EXT-STS:task_state": 1,
    "OS-EXT-STS:vm_state": 1, "OS-EXT-STS:power_state": 1, "os-extended-volumes:volumes_attached": 1, "locked": 9,
    "description": 19, "tags": 26, "trusted_image_certificates": 63, "server_groups": 71, "locked_reason": 73,
    "OS-EXT-SRV-ATTR:hostname": 90, "pinned_availability_zone": 96, "scheduler_hints": 100,
}  # fmt: skip
ADMINISTRATOR = {
    "OS-EXT-SRV-ATTR:host": 1, "OS-EXT-SRV-ATTR:instance_name": 1, "OS-EXT-SRV-ATTR:hypervisor_hostname": 1,
    "OS-EXT-SRV-ATTR:reservation_id": 3, "OS-EXT-SRV-ATTR:launch_index": 3, "OS-EXT-SRV-ATTR:hostname": 3,
    "OS-EXT-SRV-ATTR:kernel_id": 3, "OS-EXT-SRV-ATTR:ramdisk_id": 3, "OS-EXT-SRV-ATTR:root_device_name": 3,
    "OS-EXT-SRV-ATTR:user_data": 3, "host_status": 16,
}  # fmt: skip
UPDATED = {
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
    "addresses", "accessIPv4", "accessIPv6", "links", "progress", "OS-DCF:diskConfig", "locked", "description", "tags",
    "trusted_image_certificates", "server_groups", "locked_reason",
}  # fmt: skip
"""What the answer to an update held until 2.74."""
VERSIONS = (1, 2, 3, 8, 9, 16, 19, 26, 46, 47, 62, 63, 70, 71, 73, 74, 75, 89, 90, 96, 98, 100, 104)


def at(minor: int, *tables: dict[str, int]) -> set[str]:
    return {name for table in tables for name, since in table.items() if minor >= since}


@pytest.mark.parametrize("persona", ["member", "admin"])
async def test_the_fields_of_every_version(cloud: SmallCloud, persona: str) -> None:
    server = await cloud.make_server(networks=[{"uuid": await cloud.make_network()}])
    tables = (EVERYBODY, ADMINISTRATOR) if persona == "admin" else (EVERYBODY,)
    for minor in VERSIONS:
        client = cloud.compute.as_(persona).at(f"2.{minor}")
        page = (await client.get(f"/servers/{server['id']}"))["server"]
        assert set(page) == at(minor, *tables), minor
        [listed] = (await client.get("/servers/detail?all_tenants=1" if persona == "admin" else "/servers/detail"))[
            "servers"
        ]
        assert set(listed) == at(minor, *tables) - {"server_groups"}, minor
        updated = (await client.put(f"/servers/{server['id']}", {"server": {"name": "s"}}))["server"]
        expected = at(minor, *tables)
        assert set(updated) == (expected if minor >= 75 else expected & UPDATED), minor
        assert ("links" in page["flavor"]) == (minor < 47)
        assert ("properties" in page["image"]) == (minor >= 98)
