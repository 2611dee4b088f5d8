"""What a wish for a server says of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from cumulet.core.errors import CloudError, Conflict
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.services.compute.errors import InvalidServer
from cumulet.services.compute.room import Compute
from cumulet.services.network.public import NicRequest

SHARES_SINCE = version("2.72")
"""From here a port may ask for a share of what its host can promise."""


async def networks_asked(room: Compute, call: Call, groups: Sequence[str], *, several: bool) -> list[NicRequest]:
    """The cards that a wish asks for, each on a network or port that its maker may use."""
    asked: Sequence[dict[str, Any]] | Literal["auto", "none"] | None = call.wish.get("networks")
    chosen = asked if asked == "auto" or asked == "none" else requests_for(asked, several=several)
    try:
        nics = list(await room.networks.check(call.caller, chosen, groups))
        if asked == "auto" and not nics:
            nics = [NicRequest(network_id=await own_network(room, call))]
    except CloudError as error:
        # What is not there, or is a taken address, is the fault of the wish; a port in use is a conflict.
        if error.status == 404 or error.type_name == "IpAddressInUse":
            raise InvalidServer(error.message) from error
        raise
    if call.version < SHARES_SINCE and any(nic.asks for nic in nics):
        raise InvalidServer(
            "Creating servers with ports having resource requests, like a port with a QoS minimum bandwidth policy, is "
            "not supported until microversion 2.72."
        )
    return nics


async def own_network(room: Compute, call: Call) -> str:
    """The network that a project without one is given. Raises InvalidServer where no administrator prepared that."""
    try:
        made = await room.networks.api.ask(call.caller, "GET", f"/auto-allocated-topology/{call.caller.project_id}")
    except Conflict as error:
        raise InvalidServer(
            f"Unable to automatically allocate a network for project {call.caller.project_id}: {error.message}"
        ) from error
    return str(made["auto_allocated_topology"]["id"])


def requests_for(asked: Sequence[dict[str, Any]] | None, *, several: bool) -> list[NicRequest]:
    """The networks and ports of a wish. Raises InvalidServer."""
    requests = []
    for item in asked or ():
        port, network, ip = item.get("port") or "", item.get("uuid") or "", item.get("fixed_ip") or ""
        if not port and not network:
            raise InvalidServer("Bad networks format: give a port or the uuid of a network.")
        if port and ip:
            raise InvalidServer("Specified Fixed IP cannot be used with a port: the port has its own.")
        if port and several:
            raise InvalidServer("Unable to launch multiple instances with a single configured port ID.")
        if ip and several:
            raise InvalidServer("Invalid fixed IP Address: one address cannot be given to several servers.")
        requests.append(NicRequest(network_id=network, port_id=port, fixed_ip=ip, tag=item.get("tag") or ""))
    tags = [request.tag for request in requests if request.tag]
    if len(set(tags)) != len(tags):
        raise InvalidServer("The same device tag is used twice.")
    return requests
