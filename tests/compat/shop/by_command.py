"""Made and removed with the command `openstack`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.compat.shop.plan import ANYONE, NAME, plan
from tests.support.openstack_shell import OpenStackShell, openstack_shell

SECONDS = 120.0


class ByCommand:
    """The commands as a script would pipe them into one `openstack`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def make(self, image: str, public_key: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            key = Path(folder) / "key.pub"
            key.write_text(public_key)
            self._tell(lambda openstack: _make(openstack, image, key))

    def remove(self) -> None:
        self._tell(_remove)

    def _tell(self, story: Callable[[OpenStackShell], Awaitable[None]]) -> None:
        async def tell() -> None:
            async with openstack_shell(self._environment) as openstack:
                await story(openstack)

        asyncio.run(tell())


async def _make(openstack: OpenStackShell, image: str, key: Path) -> None:
    size = plan().flavor
    await openstack.json(f"keypair create --public-key {key} {NAME}")
    await openstack.json(f"flavor create --ram {size['ram']} --vcpus {size['vcpus']} --disk {size['disk']} {NAME}")
    await openstack.json(f"router create --external-gateway {plan().public_network} {NAME}")
    for tier in plan().tiers:
        await openstack.json(f"security group create {tier.name}")
        asking = f"--remote-group {tier.asked_by}" if tier.asked_by else f"--remote-ip {ANYONE}"
        await openstack.json(f"security group rule create --proto tcp --dst-port {tier.port} {asking} {tier.name}")
        await openstack.json(f"network create {tier.name}")
        await openstack.json(f"subnet create --network {tier.name} --subnet-range {tier.cidr} {tier.name}")
        await openstack.silent(f"router add subnet {NAME} {tier.name}")
    for server in plan().servers:
        where = f"--network {server.tier} --fixed-ip ip-address={server.address} --security-group {server.tier}"
        await openstack.json(f"port create {where} {server.name}")
        what = f"--image {image} --flavor {NAME} --key-name {NAME} --port {server.name} --property tier={server.tier}"
        await openstack.json(f"server create {what} --user-data {server.script} {server.name}")
    await openstack.json(f"volume create --size {plan().volume_gib} {NAME}")
    for server in plan().servers:
        await _become(openstack, f"server show {server.name}", "ACTIVE")
    await _become(openstack, f"volume show {NAME}", "available")
    await openstack.json(f"server add volume {plan().volume_server} {NAME}")
    await _become(openstack, f"volume show {NAME}", "in-use")
    await openstack.json(f"floating ip create --port {plan().reached} {plan().public_network}")


async def _remove(openstack: OpenStackShell) -> None:
    (address,) = await openstack.json(f"floating ip list --port {plan().reached}")
    await openstack.silent(f"floating ip delete {address['ID']}")
    await openstack.silent(f"server remove volume {plan().volume_server} {NAME}")
    await _become(openstack, f"volume show {NAME}", "available")
    await openstack.silent(f"volume delete {NAME}")
    names = " ".join(server.name for server in plan().servers)
    await openstack.text(f"server delete --wait {names}")
    await openstack.silent(f"port delete {names}")
    tiers = [tier.name for tier in plan().tiers]
    for tier in tiers:
        await openstack.silent(f"router remove subnet {NAME} {tier}")
    await openstack.silent(f"router delete {NAME}")
    await openstack.silent(f"network delete {' '.join(tiers)}")
    await openstack.silent(f"security group delete {' '.join(reversed(tiers))}")
    await openstack.silent(f"flavor delete {NAME}")
    await openstack.silent(f"keypair delete {NAME}")


async def _become(openstack: OpenStackShell, question: str, status: str) -> None:
    seen = {"status": ""}
    async with asyncio.timeout(SECONDS):
        while seen["status"] != status:
            seen = await openstack.json(question)
            assert seen["status"].upper() != "ERROR", seen
