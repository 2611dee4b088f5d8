"""What guests read about themselves, in both dialects and on the config drive."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cumulet.contracts.machines import AddressConfig, GuestData, NetworkConfig, PublicKey
from cumulet.node.metadata.documents import OPENSTACK_VERSIONS, config_drive_files, page
from cumulet.node.metadata.ec2 import EC2_VERSIONS

UUID = "11111111-2222-4333-8444-555555555555"
SCRIPT = b"#!/bin/sh\necho hello\n"
GUEST = GuestData(
    hostname="maple.example.org",
    name="maple",
    project_id="a" * 32,
    instance_id="i-0000000a",
    image_id="ami-00000001",
    instance_type="m1.tiny",
    availability_zone="nova",
    launch_index=2,
    reservation_id="r-abcdefgh",
    keys=(PublicKey(name="anna", text="ssh-ed25519 AAAA anna"),),
    metadata={"role": "web"},
    user_data=base64.b64encode(SCRIPT).decode(),
    admin_password="s3cret",
    networks=(
        NetworkConfig(
            port_id="99999999-2222-4333-8444-555555555555",
            network_id="88888888-2222-4333-8444-555555555555",
            mac="fa:16:3e:00:00:01",
            mtu=1450,
            tag="front",
            addresses=(
                AddressConfig(
                    address="10.0.0.5", cidr="10.0.0.0/24", version=4, gateway="10.0.0.1", dns=("192.0.2.53",)
                ),
                AddressConfig(
                    address="10.1.0.5",
                    cidr="10.1.0.0/16",
                    version=4,
                    gateway="10.1.0.1",
                    dhcp=False,
                    dns=("192.0.2.53",),
                    routes=(("192.168.0.0/16", "10.1.0.9"),),
                ),
            ),
        ),
    ),
    security_groups=("default", "web"),
    public_address="198.51.100.7",
    files=(("/etc/motd", base64.b64encode(b"welcome").decode()),),
)
BARE = GuestData(hostname="elm", name="elm", project_id="b" * 32)


def read(path: str, guest: GuestData = GUEST, password: bytes = b"") -> str:
    found = page(path, guest, UUID, address="10.0.0.5", seed=b"seed", password=password)
    assert found is not None, path
    return found.body.decode()


def document(path: str, guest: GuestData = GUEST) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(read(path, guest))
    return loaded


def missing(path: str, guest: GuestData = GUEST) -> bool:
    return page(path, guest, UUID, address="10.0.0.5", seed=b"") is None


def test_the_lists_of_versions() -> None:
    assert read("/openstack").split("\n") == [*OPENSTACK_VERSIONS, "latest"]
    assert read("/openstack/") == read("/openstack")
    assert read("/").split("\n") == [*EC2_VERSIONS, "latest"]


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2012-08-10", ["meta_data.json", "user_data"]),
        ("2013-04-04", ["meta_data.json", "user_data", "password"]),
        ("2013-10-17", ["meta_data.json", "user_data", "password", "vendor_data.json"]),
        ("2015-10-15", ["meta_data.json", "user_data", "password", "vendor_data.json", "network_data.json"]),
    ],
)
def test_each_version_lists_what_it_had(version: str, names: list[str]) -> None:
    assert read(f"/openstack/{version}").split("\n") == names
    assert missing(f"/openstack/{version}/vendor_data2.json")


def test_the_newest_meta_data() -> None:
    shown = document("/openstack/latest/meta_data.json")
    assert shown == {
        "uuid": UUID,
        "name": "maple",
        "hostname": "maple.example.org",
        "availability_zone": "nova",
        "launch_index": 2,
        "project_id": "a" * 32,
        "meta": {"role": "web"},
        "public_keys": {"anna": "ssh-ed25519 AAAA anna"},
        "keys": [{"name": "anna", "type": "ssh", "data": "ssh-ed25519 AAAA anna"}],
        "admin_pass": "s3cret",
        "random_seed": base64.b64encode(b"seed").decode(),
        "files": [{"content_path": "/content/0000", "path": "/etc/motd"}],
        "devices": [{"type": "nic", "bus": "pci", "address": "", "mac": "fa:16:3e:00:00:01", "tags": ["front"]}],
        "dedicated_cpus": [],
    }
    assert read("/openstack/content/0000") == "welcome"


def test_old_meta_data_knows_less() -> None:
    oldest = document("/openstack/2012-08-10/meta_data.json")
    assert {"random_seed", "project_id", "devices", "dedicated_cpus"}.isdisjoint(oldest)
    assert "project_id" not in document("/openstack/2013-10-17/meta_data.json")
    assert {"meta", "public_keys", "keys", "files", "admin_pass"}.isdisjoint(
        document("/openstack/latest/meta_data.json", BARE)
    )


def test_network_data_tells_dhcp_from_static() -> None:
    shown = document("/openstack/latest/network_data.json")
    assert shown["links"] == [
        {
            "id": "tap99999999-22",
            "vif_id": "99999999-2222-4333-8444-555555555555",
            "type": "ovs",
            "mtu": 1450,
            "ethernet_mac_address": "fa:16:3e:00:00:01",
        }
    ]
    dynamic, static = shown["networks"]
    assert dynamic == {
        "id": "network0",
        "link": "tap99999999-22",
        "network_id": "88888888-2222-4333-8444-555555555555",
        "type": "ipv4_dhcp",
    }
    assert static["ip_address"] == "10.1.0.5"
    assert static["netmask"] == "255.255.0.0"
    assert static["routes"] == [
        {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.1.0.1"},
        {"network": "192.168.0.0", "netmask": "255.255.0.0", "gateway": "10.1.0.9"},
    ]
    assert shown["services"] == [{"type": "dns", "address": "192.0.2.53"}]


def test_user_data_and_password() -> None:
    assert read("/openstack/latest/user_data").encode() == SCRIPT
    assert read("/latest/user-data").encode() == SCRIPT
    assert missing("/openstack/latest/user_data", BARE)
    assert missing("/latest/user-data", BARE)
    assert read("/openstack/2013-04-04/password") == ""
    assert read("/openstack/latest/password", password=b"sealed") == "sealed"


@pytest.mark.parametrize(
    "path",
    [
        "/openstack/2011-01-01",
        "/openstack/2030-01-01/meta_data.json",
        "/openstack/latest/nothing",
        "/openstack/latest/meta_data.json/more",
        "/openstack/content/0001",
        "/openstack/content/..",
        "/openstack/content/²",
        "/2010-01-01/meta-data/",
        "/latest/meta-data/nothing",
        "/latest/meta-data/hostname/more",
        "/latest/meta-data/public-keys/0/_name",
        "/favicon.ico",
    ],
)
def test_what_is_not_there(path: str) -> None:
    assert missing(path)


def test_the_ec2_tree_is_walked_by_its_listings() -> None:
    assert read("/latest").split("\n") == ["meta-data/", "user-data"]
    top = read("/latest/meta-data/").split("\n")
    assert {"ami-id", "placement/", "public-keys/", "block-device-mapping/", "local-ipv4"} <= set(top)
    assert read("/latest/meta-data/public-keys/") == "0=anna"
    assert read("/latest/meta-data/public-keys/0/") == "openssh-key"
    assert read("/latest/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAA anna"
    assert read("/2009-04-04/meta-data/local-ipv4") == "10.0.0.5"
    assert read("/2009-04-04/meta-data/public-ipv4") == "198.51.100.7"
    assert read("/2009-04-04/meta-data/placement/availability-zone") == "nova"
    assert read("/2009-04-04/meta-data/security-groups") == "default\nweb"


def test_an_old_ec2_version_shows_less() -> None:
    assert "placement/" not in read("/2007-12-15/meta-data/").split("\n")
    assert "public-ipv4" not in read("/1.0/meta-data/").split("\n")
    assert "public-keys/" not in read("/latest/meta-data", BARE).split("\n")


def test_the_config_drive_holds_every_version_but_no_password_page() -> None:
    files = config_drive_files(GUEST, UUID, seed=b"seed")
    assert {f"openstack/{v}/meta_data.json" for v in (*OPENSTACK_VERSIONS, "latest")} <= set(files)
    assert files["openstack/latest/user_data"] == SCRIPT
    assert files["ec2/latest/user-data"] == SCRIPT
    assert files["openstack/content/0000"] == b"welcome"
    assert json.loads(files["ec2/2009-04-04/meta-data.json"])["local-ipv4"] == "10.0.0.5"
    assert json.loads(files["openstack/latest/meta_data.json"])["uuid"] == UUID
    assert not [name for name in files if "password" in name or ".." in name or name.startswith("/")]


def test_two_config_drives_hold_different_seeds() -> None:
    one, other = (json.loads(config_drive_files(GUEST, UUID)["openstack/latest/meta_data.json"]) for _ in range(2))
    assert one["random_seed"] != other["random_seed"]
    assert len(base64.b64decode(one["random_seed"])) == 512
