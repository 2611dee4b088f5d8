"""What one project needs before its servers can be reached: a network with a way out, a group for SSH, a key."""

from __future__ import annotations

import base64
from typing import Any

from openstack.connection import Connection

from tests.support.real_cloud import Cloud, eventually

SERVER_SECONDS = 180.0


class Tenant:
    """Everything it makes bears its name; `leave` deletes all of it."""

    def __init__(
        self, cloud: Cloud, client: Connection, name: str, cidr: str = "10.0.0.0/24", *, standby: bool = False
    ) -> None:
        self.cloud, self.client, self.name = cloud, client, name
        self.network = client.network.create_network(name=name)
        self.subnet = client.network.create_subnet(network_id=self.network.id, name=name, cidr=cidr, ip_version=4)
        public = client.network.find_network("public")
        more = {"is_ha": True} if standby else {}
        self.router = client.network.create_router(name=name, external_gateway_info={"network_id": public.id}, **more)
        client.network.add_interface_to_router(self.router, subnet=self.subnet.id)
        self.group = client.network.create_security_group(name=name)
        self.allow(protocol="tcp", port_range_min=22, port_range_max=22)
        self.key = client.compute.create_keypair(name=name, public_key=cloud.public_key)
        self.servers: list[Any] = []
        self.floating: list[Any] = []

    def allow(self, **rule: Any) -> Any:
        return self.client.network.create_security_group_rule(
            security_group_id=self.group.id, direction="ingress", ethertype="IPv4", **rule
        )

    def server(self, name: str, *, user_data: str = "", image: str = "tiny", **options: Any) -> Any:
        """ACTIVE, which is not yet booted."""
        made = self.client.compute.create_server(
            name=name,
            flavor_id=self.client.compute.find_flavor("m1.micro").id,
            networks=[{"uuid": self.network.id}],
            key_name=self.key.name,
            security_groups=[{"name": self.group.name}],
            **({"image_id": self.client.image.find_image(image).id} if image else {}),
            **({"user_data": base64.b64encode(user_data.encode()).decode()} if user_data else {}),
            **options,
        )
        self.servers.append(made)
        return self.become(made, "ACTIVE")

    def become(self, server: Any, status: str, seconds: float = SERVER_SECONDS) -> Any:
        """The server when it has this status and nothing is under way."""

        def look() -> Any:
            seen = self.client.compute.get_server(server.id)
            if seen.status == "ERROR" and status != "ERROR":
                raise AssertionError(f"{seen.name}: {seen.fault}\n{self.cloud.logs()[-3000:]}")
            return seen if seen.status == status and not seen.task_state else None

        return eventually(f"server {server.name} {status}", look, seconds)

    def reachable(self, server: Any) -> str:
        """A floating IP for it."""
        public = self.client.network.find_network("public")
        port = next(self.client.network.ports(device_id=server.id))
        made = self.client.network.create_ip(floating_network_id=public.id, port_id=port.id)
        self.floating.append(made)
        return str(made.floating_ip_address)

    def delete_server(self, server: Any) -> None:
        self.client.compute.delete_server(server.id)
        eventually(f"{server.name} is gone", lambda: self.client.compute.find_server(server.id) is None)

    def leave(self) -> None:
        for server in self.servers:
            self.client.compute.delete_server(server.id, ignore_missing=True)
        for address in self.floating:
            self.client.network.delete_ip(address.id, ignore_missing=True)
        for server in self.servers:
            eventually(f"{server.name} is gone", lambda gone=server: self.client.compute.find_server(gone.id) is None)
        self.client.network.remove_interface_from_router(self.router, subnet=self.subnet.id)
        self.client.network.delete_router(self.router)
        self.client.network.delete_network(self.network)
        self.client.network.delete_security_group(self.group)
        self.client.compute.delete_keypair(self.key)
