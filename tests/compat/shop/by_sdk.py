"""Made and removed with openstacksdk, call by call."""

from __future__ import annotations

import base64
from typing import Any

from openstack.connection import Connection

from tests.compat.shop.plan import ANYONE, NAME, plan

SECONDS = 120


class BySdk:
    def __init__(self, cloud: Connection) -> None:
        self._cloud: Any = cloud

    def make(self, image: str, public_key: str) -> None:
        self._cloud.compute.create_keypair(name=NAME, public_key=public_key)
        self._cloud.compute.create_flavor(name=NAME, **plan().flavor)
        self._make_networks()
        self._make_servers(image)
        self._make_volume()
        self._open_to_the_world()

    def remove(self) -> None:
        compute, network, storage = self._cloud.compute, self._cloud.network, self._cloud.block_storage
        data, volume = compute.find_server(plan().volume_server), storage.find_volume(NAME)
        compute.delete_volume_attachment(data, volume)
        storage.wait_for_status(storage.get_volume(volume.id), "available", wait=SECONDS)
        storage.delete_volume(volume)
        storage.wait_for_delete(volume, wait=SECONDS)
        for port in [network.find_port(server.name) for server in plan().servers]:
            for address in network.ips(port_id=port.id):
                network.delete_ip(address)
        gone = [compute.find_server(server.name) for server in plan().servers]
        for server in gone:
            compute.delete_server(server)
        for server in gone:
            compute.wait_for_delete(server, wait=SECONDS)
        for server in plan().servers:
            network.delete_port(network.find_port(server.name))
        router = network.find_router(NAME)
        for tier in plan().tiers:
            network.remove_interface_from_router(router, subnet=network.find_subnet(tier.name).id)
        network.delete_router(router)
        for tier in plan().tiers:
            network.delete_network(network.find_network(tier.name))
        for tier in reversed(plan().tiers):
            network.delete_security_group(network.find_security_group(tier.name))
        compute.delete_flavor(compute.find_flavor(NAME))
        compute.delete_keypair(NAME)

    def _make_networks(self) -> None:
        network = self._cloud.network
        public = network.find_network(plan().public_network)
        router = network.create_router(name=NAME, external_gateway_info={"network_id": public.id})
        groups: dict[str, str] = {}
        for tier in plan().tiers:
            groups[tier.name] = network.create_security_group(name=tier.name).id
            asking: dict[str, Any] = {"remote_ip_prefix": ANYONE}
            if tier.asked_by:
                asking = {"remote_group_id": groups[tier.asked_by]}
            network.create_security_group_rule(
                security_group_id=groups[tier.name],
                direction="ingress",
                protocol="tcp",
                port_range_min=tier.port,
                port_range_max=tier.port,
                **asking,
            )
            made = network.create_network(name=tier.name)
            subnet = network.create_subnet(name=tier.name, network_id=made.id, ip_version=4, cidr=tier.cidr)
            network.add_interface_to_router(router, subnet=subnet.id)

    def _make_servers(self, image: str) -> None:
        compute, network = self._cloud.compute, self._cloud.network
        chosen = {"image_id": self._cloud.image.find_image(image).id, "flavor_id": compute.find_flavor(NAME).id}
        made = []
        for server in plan().servers:
            port = network.create_port(
                name=server.name,
                network_id=network.find_network(server.tier).id,
                fixed_ips=[{"ip_address": server.address}],
                security_groups=[network.find_security_group(server.tier).id],
            )
            script = base64.b64encode(server.script.read_bytes()).decode()
            rest = {"key_name": NAME, "user_data": script, "metadata": {"tier": server.tier}}
            made.append(compute.create_server(name=server.name, networks=[{"port": port.id}], **chosen, **rest))
        for server in made:
            compute.wait_for_server(server, wait=SECONDS)

    def _make_volume(self) -> None:
        compute, storage = self._cloud.compute, self._cloud.block_storage
        volume = storage.create_volume(name=NAME, size=plan().volume_gib)
        storage.wait_for_status(volume, "available", wait=SECONDS)
        compute.create_volume_attachment(compute.find_server(plan().volume_server), volume=volume)
        storage.wait_for_status(storage.get_volume(volume.id), "in-use", wait=SECONDS)

    def _open_to_the_world(self) -> None:
        network = self._cloud.network
        public, port = network.find_network(plan().public_network), network.find_port(plan().reached)
        network.create_ip(floating_network_id=public.id, port_id=port.id)
