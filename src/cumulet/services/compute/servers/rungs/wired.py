"""Ports on its host, which give its cards what they promise."""

from __future__ import annotations

import msgspec

from cumulet.core.errors import CloudError, Unavailable
from cumulet.core.reconcile import Again, Failed, Outcome
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look, look_at
from cumulet.services.compute.servers.place import NO_VALID_HOST
from cumulet.services.compute.servers.row import NicRow, ServerRow
from cumulet.services.compute.servers.rungs.waiting import refuse, waiting
from cumulet.services.compute.servers.store import change, forget
from cumulet.services.network.public import NicRequest, NicView

DEVICE_OWNER = "compute:"
WIRING_SECONDS = 300


class SharesTaken(CloudError):
    """The host cannot promise what the server's ports ask for."""

    status = 400
    title = "Bad Request"


def is_wired(look: Look) -> bool:
    return all(is_up(look, nic) for nic in look.cards)


def is_up(look: Look, nic: NicRow) -> bool:
    port = look.ports.get(nic.port_id or "")
    return port is not None and port.host == look.server.host and port.up


def is_held(look: Look) -> bool:
    return bool(look.nics)


async def bind_ports(room: Compute, look: Look) -> Outcome:
    server = look.server
    for nic in look.cards:
        if nic.port_id is None:
            try:
                await plug(room, server, nic)
            except Unavailable:
                raise
            except CloudError as error:
                if not server.launched_at:
                    raise
                await refuse(room, server, nic, error.message)
        elif nic.port_id not in look.ports:
            # Its port was deleted by its owner; the card goes with it.
            await forget(room, nic)
        elif look.ports[nic.port_id].host != server.host:
            await bind(room, server, look.ports[nic.port_id])
    outcome = waiting(room, look, WIRING_SECONDS, "its ports are not up yet", "Virtual Interface creation failed")
    missing = [nic for nic in look.cards if not is_up(look, nic)]
    if isinstance(outcome, Failed) and server.met and not any(nic.connected for nic in missing):
        for nic in missing:
            await refuse(room, server, nic, outcome.fault.message)
        return Again()
    return outcome


async def plug(room: Compute, server: ServerRow, nic: NicRow) -> str:
    """The port of a card, made or adopted once."""
    zone = server.zone or server.pinned_zone
    groups: list[str] = msgspec.json.decode(server.groups)
    port = await room.networks.plug(
        server.id,
        f"{DEVICE_OWNER}{zone or 'nova'}",
        server.project_id,
        NicRequest(network_id=nic.network_id, port_id=nic.asked_port, fixed_ip=nic.fixed_ip, tag=nic.tag),
        key=nic.id,
        groups=groups,
        hostname=server.hostname,
        zone=zone,
    )
    await change(room, nic, port_id=port.port_id)
    if server.host:
        try:
            await bind(room, server, port)
        except Unavailable:
            raise
        except CloudError:
            await room.networks.unplug(server.id, port.port_id)
            raise
    return port.port_id


async def bind(room: Compute, server: ServerRow, port: NicView) -> None:
    """Give the port to the server's host, by whose providers it is given what it asks for."""
    shares: dict[str, str] = {}
    if port.request is not None:
        wanted = {group.id for group in port.request.request_groups}
        shares = {id: given for id, given in (await allot(room, server)).items() if id in wanted}
        if set(shares) != wanted:
            raise SharesTaken(f"Port {port.port_id} is not the server's any more.")
    await room.networks.bind(port.port_id, server.host, shares)


async def take_off(room: Compute, look: Look) -> None:
    """Its ports are on no host now; they stay its own."""
    for port in look.ports.values():
        if port.host:
            await room.networks.unbind(port.port_id, port.host)


async def unplug(room: Compute, look: Look) -> Outcome:
    for nic in look.nics:
        if nic.port_id:
            await room.networks.unplug(look.server.id, nic.port_id)
        await forget(room, nic)
    # What was made under a key whose card was never written down.
    for port_id in look.ports:
        await room.networks.unplug(look.server.id, port_id)
    return Again()


# ---- what its ports ask of its host --------------------------------------------------------------------------------


def holds_its_shares(look: Look) -> bool:
    held = look.claims.get(look.server.host)
    return held is not None and held.below == look.asks_at(look.server.host).total


async def allot(room: Compute, server: ServerRow) -> dict[str, str]:
    """Hold what its ports ask for at this moment: which provider gives what. Raises SharesTaken."""
    look = await look_at(room, server.id)
    if look is None:
        return {}
    given = await room.placement.serve(
        server.id,
        server.host,
        look.asks_at(server.host),
        project_id=server.project_id,
        user_id=server.user_id,
    )
    if given is None:
        raise SharesTaken(
            f"{NO_VALID_HOST}Failed to allocate additional resources for the ports of instance {server.id}: its "
            "host cannot promise what they ask for."
        )
    return given


async def allot_anew(room: Compute, look: Look) -> Outcome:
    """Give back what a port had that is no more its own. A promise that cannot be kept ends, and is not shown."""
    try:
        await allot(room, look.server)
    except SharesTaken:
        for port in look.ports.values():
            await room.networks.allot(port.port_id, {})
    return Again()
