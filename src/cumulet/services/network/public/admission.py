"""Before a server is accepted: can it be connected as its user asks, and what will its ports ask of its node?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa

from cumulet.core.access.caller import Caller
from cumulet.core.db import Query, Transaction
from cumulet.services.network import rbac
from cumulet.services.network.errors import InvalidInput, NotAuthorized
from cumulet.services.network.networks.errors import NetworkAmbiguous, NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.addresses import Wanted, given_of
from cumulet.services.network.ports.errors import IpAddressInUse, PortInUse, PortNotFound
from cumulet.services.network.ports.reach import unreached
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.public.groups import group_ids
from cumulet.services.network.public.part import Part
from cumulet.services.network.public.views import NicRequest
from cumulet.services.network.qos.kinds import GUARANTEES
from cumulet.services.network.qos.requests import NOTHING, ResourceRequest, request_for, request_in
from cumulet.services.network.qos.row import QosRuleRow
from cumulet.services.network.subnets.row import AddressRow

_SHARED = Query(sa.select(NetworkRow.table).where(NetworkRow.c.id.in_(rbac.shared_ids("network"))))


class Admission(Part):
    """What is asked before anything is made."""

    async def check(
        self,
        caller: Caller,
        requests: Sequence[NicRequest] | Literal["auto", "none"],
        groups: Sequence[str] = (),
    ) -> list[NicRequest]:
        """The requests if all can be met, with networks filled in. Raises in this service's words."""
        async with self._room.database.read() as tx:
            await group_ids(tx, caller.project_id, groups)
            if requests == "none":
                return []
            if requests == "auto" or not requests:
                return await _by_itself(tx, caller.project_id)
            assert not isinstance(requests, str)
            named = [request.port_id for request in requests if request.port_id]
            if len(named) != len(set(named)):
                raise PortInUse("The same port was given twice.")
            return [
                await (_by_port(tx, caller, request) if request.port_id else _by_network(tx, caller, request))
                for request in requests
            ]

    async def pending(self, requests: Mapping[str, NicRequest]) -> dict[str, ResourceRequest]:
        """What ports will ask of their node that are not made or adopted yet, by the key of each."""
        found: dict[str, ResourceRequest] = {}
        async with self._room.database.read() as tx:
            for key, request in requests.items():
                asked = await _will_ask(tx, key, request)
                if asked is not None:
                    found[key] = asked
        return found

    async def unreached(self, requests: Sequence[NicRequest]) -> dict[str, str]:
        """The nodes on which not all of these can be had, because networks are not everywhere, and why not."""
        found: dict[str, str] = {}
        async with self._room.database.read() as tx:
            for request in requests:
                port = await tx.get(PortRow, id=request.port_id) if request.port_id else None
                wanted = [Wanted(ip=request.fixed_ip)] if request.fixed_ip else []
                if port is not None:
                    wanted = [Wanted(has.subnet_id, has.ip_address) for has in given_of(port.fixed_ips)]
                network_id = port.network_id if port is not None else request.network_id
                found |= await unreached(tx, network_id, wanted)
        return found


async def _by_port(tx: Transaction, caller: Caller, request: NicRequest) -> NicRequest:
    port = await tx.get(PortRow, id=request.port_id)
    if port is None or (port.project_id != caller.project_id and not caller.is_admin):
        raise PortNotFound(f"Port {request.port_id} could not be found.")
    if port.device_id:
        raise PortInUse(f"Port {port.id} is still in use.")
    if not given_of(port.fixed_ips):
        raise PortInUse(f"Port {port.id} requires a FixedIP in order to be used.", type_name="PortRequiresFixedIP")
    asks = port.resource_request != NOTHING
    return NicRequest(network_id=port.network_id, port_id=port.id, tag=request.tag, asks=asks)


async def _by_network(tx: Transaction, caller: Caller, request: NicRequest) -> NicRequest:
    network = await tx.get(NetworkRow, id=request.network_id)
    usable = network is not None and (
        caller.is_admin
        or network.project_id == caller.project_id
        or rbac.shared_with(network.shared_with, caller.project_id)
    )
    if network is None or not (usable or network.external):
        raise NetworkNotFound(f"Network {request.network_id} could not be found.")
    if not usable:
        raise NotAuthorized(
            f"It is not allowed to create an interface on external network {network.id}",
            type_name="ExternalNetworkAttachForbidden",
        )
    if network.subnets == "[]" and network.port_security:
        raise InvalidInput(
            f"Network {network.id} requires a subnet in order to boot instances on.",
            type_name="NetworkRequiresSubnet",
        )
    if request.fixed_ip:
        await _refuse_taken(tx, network, request.fixed_ip)
    return msgspec.structs.replace(request, asks=await _promises(tx, network))


async def _by_itself(tx: Transaction, project_id: str) -> list[NicRequest]:
    """The only network that the project has, or else the only one shared with it; none is well."""
    usable = [network for network in await tx.find(NetworkRow, project_id=project_id) if _fits_by_itself(network)]
    if not usable:
        shared = await tx.rows(NetworkRow, _SHARED, {"caller_project": project_id})
        usable = [network for network in shared if _fits_by_itself(network)]
    if len(usable) > 1:
        raise NetworkAmbiguous("Multiple possible networks found, use a Network ID to be more specific.")
    return [NicRequest(network_id=network.id, asks=await _promises(tx, network)) for network in usable]


def _fits_by_itself(network: NetworkRow) -> bool:
    return network.subnets != "[]" and not network.external


async def _refuse_taken(tx: Transaction, network: NetworkRow, ip: str) -> None:
    used = await tx.find(AddressRow, ip=ip, network_id=network.id)
    if used:
        raise IpAddressInUse(f"Fixed IP address {ip} is already in use by port {used[0].port_id}.")


async def _promises(tx: Transaction, network: NetworkRow) -> bool:
    """Whether a new port there would ask something of its node."""
    rules = await tx.find(QosRuleRow, policy_id=network.qos_policy_id) if network.qos_policy_id else []
    return any(rule.type in GUARANTEES for rule in rules)


async def _will_ask(tx: Transaction, key: str, request: NicRequest) -> ResourceRequest | None:
    """What the port of a request will ask for; one that is made anew is told apart by the key until it has an id."""
    if request.port_id:
        port = await tx.get(PortRow, id=request.port_id)
        return request_in(port.resource_request) if port else None
    network = await tx.get(NetworkRow, id=request.network_id)
    if network is None:
        return None
    rules = await tx.find(QosRuleRow, policy_id=network.qos_policy_id)
    return request_in(request_for(key, "normal", network, rules))
