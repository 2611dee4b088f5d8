"""A server's ports: made or adopted, given to a node, freed. Each act may be asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import operations, prepared
from cumulet.services.network.ports.addresses import Wanted
from cumulet.services.network.ports.errors import PortInUse, PortNotFound
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.public.groups import group_ids
from cumulet.services.network.public.looking import Looking
from cumulet.services.network.public.views import NicRequest, NicView
from cumulet.services.network.security_groups.groups import default_group
from cumulet.services.network.standard import json_text


class Connecting(Looking):
    """What is done with the ports of a server."""

    async def plug(
        self,
        device_id: str,
        device_owner: str,
        project_id: str,
        request: NicRequest,
        *,
        key: str,
        groups: Sequence[str] = (),
        hostname: str = "",
        zone: str = "",
    ) -> NicView:
        """Make or adopt the port of a request; the same key finds what was done before."""
        room = self._room
        owner = device_owner or f"compute:{zone or 'nova'}"

        async def write(tx: Transaction) -> str:
            done = await tx.get(PortRow, plug_key=key)
            if done:
                return done.id
            if request.port_id:
                return await self._adopt(tx, request, device_id, owner, hostname, key)
            network = await tx.get(NetworkRow, id=request.network_id)
            if network is None:
                raise NetworkNotFound(f"Network {request.network_id} could not be found.")
            ids = await group_ids(tx, project_id, groups)
            if not ids and network.port_security:
                ids = [(await default_group(room, tx, project_id)).id]
            await room.quota.take(tx, project_id, port=1)
            new = NewPort(
                project_id=project_id,
                device_id=device_id,
                device_owner=owner,
                addresses=[Wanted(ip=request.fixed_ip)] if request.fixed_ip else None,
                groups=ids if network.port_security else (),
                dns_name=_label(hostname),
                plug_key=key,
                preserve=False,
                nic_tag=request.tag,
            )
            return (await operations.make(room, tx, network, new)).id

        port_id = await room.database.write(write)
        for nic in await self.nics(device_id):
            if nic.port_id == port_id:
                return nic
        raise PortNotFound(f"Port {port_id} was taken from {device_id} while it was plugged.")

    async def _adopt(
        self, tx: Transaction, request: NicRequest, device_id: str, owner: str, hostname: str, key: str
    ) -> str:
        port = await tx.get(PortRow, id=request.port_id)
        if port is None:
            raise PortNotFound(f"Port {request.port_id} could not be found.")
        if port.device_id not in ("", device_id) or (port.device_id and port.plug_key):
            # Of two requests that name it at once, also of one server's, only one gets it.
            raise PortInUse(f"Port {port.id} is still in use.")
        changes: dict[str, Any] = {
            "device_id": device_id,
            "device_owner": owner,
            "plug_key": key,
            "nic_tag": request.tag,
        }
        if not port.dns_name and hostname:
            changes["dns_name"] = _label(hostname)
        await operations.change(self._room, tx, port, **changes)
        return port.id

    async def bind(self, port_id: str, host: str, allocation: Mapping[str, str] | None = None) -> None:
        """The port lives on this node from now on: its network, groups and the port itself are ordered there.

        `allocation`: which provider of the node gives it what it asks for.
        """
        shares = json_text(dict(allocation or {}))

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is None:
                raise PortNotFound(f"Port {port_id} could not be found.")
            await operations.change(self._room, tx, port, host=host, allocation=shares)

        await self._room.database.write(write)

    async def allot(self, port_id: str, allocation: Mapping[str, str]) -> None:
        """What a bound port asks for is given by these from now on."""
        text = json_text(dict(allocation))
        await self._room.database.write(lambda tx: tx.update(PortRow, {"id": port_id}, allocation=text))

    async def unbind(self, port_id: str, host: str) -> None:
        """The port no longer lives on this node, unless it moved on meanwhile."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None and port.host == host:
                await operations.change(self._room, tx, port, host="", allocation="{}")

        await self._room.database.write(write)

    async def prepare(self, port_id: str, host: str) -> None:
        """The port is made on this node too, where its server will be; `bind` then moves it at once."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None and port.host != host:
                await prepared.prepare(tx, port, host)

        await self._room.database.write(write)

    async def give_up(self, port_id: str, host: str) -> None:
        """The port is no longer made on this node, unless it lives there by now."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None:
                await prepared.give_up(tx, port, host)

        await self._room.database.write(write)

    async def unplug(self, device_id: str, port_id: str) -> None:
        """Delete a port that plug made; free one that was given or became a trunk's. Nothing happens when it is not
        this device's."""
        room = self._room

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is None or port.device_id != device_id:
                return
            if port.preserve or port.trunk_id:
                await operations.change(room, tx, port, device_id="", device_owner="", host="", nic_tag="", dns_name="")
            else:
                await operations.erase(room, tx, port)

        await room.database.write(write)

    async def set_groups(self, port_id: str, groups: Sequence[str]) -> None:
        """Put a port into just these groups, given by name or id among those of the port's project."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None:
                ids = await group_ids(tx, port.project_id, groups)
                await operations.change(self._room, tx, port, group_ids=ids)

        await self._room.database.write(write)


def _label(hostname: str) -> str:
    """A host's name as a DNS label; empty if it cannot be one."""
    label = hostname.partition(".")[0][:63].strip("-").lower()
    return label if label and all(c.isascii() and (c.isalnum() or c == "-") for c in label) else ""
