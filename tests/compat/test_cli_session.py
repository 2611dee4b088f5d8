"""The first hour with a cloud, told with the official command `openstack`."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.openstack_shell import OPENSTACK, OpenStackShell
from tests.support.patience import HANG_SECONDS
from tests.support.running_cloud import RunningCloud

HELLO = "#!/bin/sh\necho hello from $(hostname)\n"


def run_openstack(cloud: RunningCloud, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it: one process, its exit code, its two outputs."""
    environment = {**cloud.environment(), **changed}
    return subprocess.run(
        [OPENSTACK, *arguments], env=environment, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )


async def become(openstack: OpenStackShell, server: str, status: str) -> None:
    seen = ""
    async with asyncio.timeout(HANG_SECONDS):
        while seen != status:
            seen = (await openstack.json(f"server show {server}"))["status"]
            assert seen != "ERROR", await openstack.text(f"server show {server}")


async def inventory(openstack: OpenStackShell) -> dict[str, set[str]]:
    """What there is, by kind: names, or else ids."""
    kinds = ("server", "port", "floating ip", "router", "subnet", "network", "keypair", "volume")
    listed = {kind: await openstack.json(f"{kind} list") for kind in kinds}
    return {kind: {str(each.get("Name") or each["ID"]) for each in found} for kind, found in listed.items()}


@pytest.fixture
def public_key(tmp_path: Path) -> Path:
    key = Ed25519PrivateKey.generate().public_key()
    file = tmp_path / "me.pub"
    file.write_bytes(key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH))
    return file


def test_a_command_of_its_own(cloud: RunningCloud) -> None:
    issued = run_openstack(cloud, "token", "issue", "-f", "json")

    assert issued.returncode == 0, issued.stderr
    assert {"id", "expires", "project_id", "user_id"} <= json.loads(issued.stdout).keys()


def test_a_wrong_password_is_refused(cloud: RunningCloud) -> None:
    refused = run_openstack(cloud, "token", "issue", OS_PASSWORD="wrong")

    assert refused.returncode == 1
    assert "HTTP 401" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_what_a_new_cloud_holds(openstack: OpenStackShell) -> None:
    assert ("tiny", "active") in {(image["Name"], image["Status"]) for image in await openstack.json("image list")}
    assert "m1.tiny" in {flavor["Name"] for flavor in await openstack.json("flavor list")}
    assert "public" in {network["Name"] for network in await openstack.json("network list --external")}
    kinds = {entry["Type"] for entry in await openstack.json("catalog list")}
    assert {"identity", "image", "compute", "network", "placement"} <= kinds
    assert {"block-storage", "volumev3"} & kinds


async def test_from_nothing_to_a_server_and_back(openstack: OpenStackShell, public_key: Path, tmp_path: Path) -> None:
    hello = tmp_path / "hello.sh"
    hello.write_text(HELLO)
    before = await inventory(openstack)

    # A key, a network, a way out and a way in.
    key = await openstack.json(f"keypair create --public-key {public_key} me")
    assert key["name"] == "me"
    network = await openstack.json("network create blue")
    assert network["status"] == "ACTIVE"
    subnet = await openstack.json("subnet create --network blue --subnet-range 10.0.0.0/24 blue")
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("10.0.0.0/24", "10.0.0.1")
    await openstack.json("router create r")
    await openstack.silent("router set --external-gateway public r")
    await openstack.silent("router add subnet r blue")
    rule = await openstack.json("security group rule create --proto tcp --dst-port 22 default")
    assert (rule["port_range_min"], rule["port_range_max"]) == (22, 22)

    # A server.
    printed = await openstack.text(
        f"server create --image tiny --flavor m1.tiny --network blue --key-name me --user-data {hello} --wait vm1"
    )
    server = await openstack.json("server show vm1")
    assert server["status"] == "ACTIVE", printed
    assert server["key_name"] == "me"
    (fixed,) = server["addresses"]["blue"]
    assert fixed.startswith("10.0.0.")
    assert "vm1" in {listed["Name"] for listed in await openstack.json("server list")}

    # An address that the world can reach.
    floating = await openstack.json("floating ip create public")
    address = floating["floating_ip_address"]
    await openstack.silent(f"server add floating ip vm1 {address}")
    assert (await openstack.json("server show vm1"))["addresses"]["blue"] == [fixed, address]

    # Looking at it.
    assert (await openstack.text("console log show vm1")).strip()
    console = await openstack.json("console url show vm1")
    assert console["url"].startswith("http")

    # Its life.
    await openstack.text("server reboot --wait vm1")
    await become(openstack, "vm1", "ACTIVE")
    await openstack.silent("server stop vm1")
    await become(openstack, "vm1", "SHUTOFF")
    await openstack.silent("server start vm1")
    await become(openstack, "vm1", "ACTIVE")
    await openstack.silent("server pause vm1")
    await become(openstack, "vm1", "PAUSED")
    await openstack.silent("server unpause vm1")
    await become(openstack, "vm1", "ACTIVE")

    # And everything gone again.
    await openstack.text("server delete --wait vm1")
    await openstack.silent(f"floating ip delete {address}")
    await openstack.silent("router remove subnet r blue")
    await openstack.silent("router delete r")
    await openstack.silent("network delete blue")
    await openstack.silent("keypair delete me")
    assert await inventory(openstack) == before


async def test_a_volume(openstack: OpenStackShell) -> None:
    volume = await openstack.json("volume create --size 1 data")
    assert volume["size"] == 1
    async with asyncio.timeout(HANG_SECONDS):
        while (await openstack.json("volume show data"))["status"] != "available":
            pass
    await openstack.silent("volume delete data")
    async with asyncio.timeout(HANG_SECONDS):
        while await openstack.json("volume list"):
            pass


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("server show nobody", "No server"),
        ("network show nobody", "No Network found for nobody"),
        ("server create --image nothing --flavor m1.tiny vm", "No Image found for nothing"),
    ],
)
async def test_a_mistake_gets_a_sentence(openstack: OpenStackShell, command: str, said: str) -> None:
    printed = await openstack.text(command)

    assert said.lower() in printed.lower()
    assert "Traceback" not in printed
