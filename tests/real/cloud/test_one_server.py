"""The life of one server, as its owner sees it from outside and from within, and that nothing of it stays."""

from __future__ import annotations

import json
import time
from functools import partial
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from openstack.connection import Connection
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.support.real_cloud import Cloud, eventually
from tests.support.tenants import Tenant
from tests.support.traces import nothing_is_left, settled_traces

pytestmark = pytest.mark.root

HELLO = "#!/bin/sh\necho user data ran > /home/cirros/proof\n"
METADATA = "curl -s http://169.254.169.254"


def test_from_nothing_to_a_server_and_back(cloud: Cloud, client: Connection) -> None:
    client.network.find_security_group("default")  # made at the first look, and it stays
    (tiny,) = client.image.images(name="tiny")
    client.image.update_image(tiny, hw_qemu_guest_agent="yes", os_admin_user="cirros")
    before = settled_traces(cloud)
    blue = Tenant(cloud, client, "blue")

    began = time.monotonic()
    server = blue.server("vm1", user_data=HELLO)
    address = blue.reachable(server)
    cloud.ssh_answers(address)
    print(f"from the order to SSH: {time.monotonic() - began:.1f} s")

    eventually("user data ran", lambda: "user data ended" in console_log(client, server))
    assert cloud.ssh(address, "hostname; cat proof").splitlines() == ["vm1", "user data ran"]
    described = json.loads(cloud.ssh(address, f"{METADATA}/openstack/latest/meta_data.json"))
    assert (described["uuid"], described["hostname"].partition(".")[0]) == (server.id, "vm1")
    assert cloud.ssh(address, f"{METADATA}/latest/meta-data/public-ipv4") == address
    assert cloud.ssh(address, f"{METADATA}/latest/user-data").strip() == HELLO.strip()

    change_the_password(cloud, blue, server, address)
    see_the_screen(client, server)
    live(cloud, blue, server, address)

    blue.leave()
    nothing_is_left(cloud, before)


def console_log(client: Connection, server: object) -> str:
    return str(client.compute.get_server_console_output(server)["output"])


def change_the_password(cloud: Cloud, blue: Tenant, server: object, address: str) -> None:
    """The guest's agent does it."""
    kept = "sudo grep ^cirros: /etc/shadow"
    before = cloud.ssh(address, kept)
    blue.client.compute.change_server_password(server, "Newpass1234")
    assert cloud.ssh(address, kept) != before


def see_the_screen(client: Connection, server: object) -> None:
    url = client.compute.create_server_remote_console(server, protocol="vnc", type="novnc")["url"]
    with urlopen(url, timeout=10) as page:
        assert page.status == 200
        assert b"<html" in page.read().lower()
    (token,) = parse_qs(urlsplit(url).query)["token"]
    place = f"ws://{urlsplit(url).netloc}/console/ws?token="
    with connect(place + token, subprotocols=["binary"], open_timeout=10) as screen:  # type: ignore[list-item]
        assert screen.recv(timeout=10) == b"RFB 003.008\n"
    with pytest.raises(WebSocketException), connect(place + "0" * len(token), open_timeout=10) as screen:
        screen.recv(timeout=10)


def live(cloud: Cloud, blue: Tenant, server: object, address: str) -> None:
    """Each thing that can be done to a server, with the proof from within that it was done."""
    compute = blue.client.compute
    boot = cloud.ssh(address, "cat /proc/sys/kernel/random/boot_id; echo kept > kept; sync").strip()
    for verb, done, stays in (
        (compute.pause_server, "PAUSED", True),
        (compute.unpause_server, "ACTIVE", True),
        (compute.suspend_server, "SUSPENDED", True),
        (compute.resume_server, "ACTIVE", True),
        (lambda one: compute.reboot_server(one, "SOFT"), "ACTIVE", False),
        (lambda one: compute.reboot_server(one, "HARD"), "ACTIVE", False),
        (compute.stop_server, "SHUTOFF", False),
        (compute.start_server, "ACTIVE", False),
    ):
        verb(server)
        blue.become(server, done)
        if done == "ACTIVE":
            look = partial(booted, cloud, address, boot, stays)
            boot = eventually("the same boot" if stays else "another boot", look)
    assert cloud.ssh(address, "cat kept") == "kept"

    resize(cloud, blue, server, address)

    compute.rebuild_server(server, image=blue.client.image.find_image("tiny").id)
    blue.become(server, "ACTIVE")
    cloud.ssh_answers(address)
    assert "kept" not in cloud.ssh(address, "ls")


def resize(cloud: Cloud, blue: Tenant, server: object, address: str) -> None:
    compute = blue.client.compute
    compute.resize_server(server, compute.find_flavor("m1.tiny").id)
    blue.become(server, "VERIFY_RESIZE")
    compute.confirm_server_resize(server)
    blue.become(server, "ACTIVE")
    cloud.ssh_answers(address)
    assert int(cloud.ssh(address, "awk '/MemTotal/ {print $2}' /proc/meminfo")) > 400_000
    assert cloud.ssh(address, "cat kept") == "kept"


def booted(cloud: Cloud, address: str, before: str, stays: bool) -> str:
    """Which boot the server is in, when SSH answers and it is the one before or not, as it should be."""
    try:
        seen = cloud.ssh(address, "cat /proc/sys/kernel/random/boot_id")
    except AssertionError:
        return ""
    return seen if (seen == before) is stays else ""
