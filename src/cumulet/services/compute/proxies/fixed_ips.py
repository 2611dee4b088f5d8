"""Further addresses for a server's cards, as compute gave them until 2.43."""

from __future__ import annotations

from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Ip, Uuid
from cumulet.services.compute.proxies.passing import ask
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import given
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-multinic:"


@servers.action("addFixedIp", RULE + "add", given("networkId", Uuid), until="2.43")
async def add(room: Compute, call: Call, row: ServerRow) -> None:
    network = call.wish["networkId"]
    for nic in await room.networks.nics(row.id):
        if nic.network_id == network and nic.addresses:
            kept = [{"subnet_id": had.subnet_id, "ip_address": had.ip} for had in nic.addresses]
            fixed = [*kept, {"subnet_id": nic.addresses[0].subnet_id}]
            await ask(room.networks.api, call, "PUT", f"/ports/{nic.port_id}", {"port": {"fixed_ips": fixed}})
            return
    raise BadRequest(f"Instance {row.id} has no card in network {network}.")


@servers.action("removeFixedIp", RULE + "remove", given("address", Ip), until="2.43")
async def remove(room: Compute, call: Call, row: ServerRow) -> None:
    address = call.wish["address"]
    for nic in await room.networks.nics(row.id):
        if any(had.ip == address for had in nic.addresses):
            fixed = [{"subnet_id": had.subnet_id, "ip_address": had.ip} for had in nic.addresses if had.ip != address]
            await ask(room.networks.api, call, "PUT", f"/ports/{nic.port_id}", {"port": {"fixed_ips": fixed}})
            return
    raise BadRequest(f"Fixed IP {address} is not of instance {row.id}.")
