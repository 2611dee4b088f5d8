"""Volumes that machines of other nodes reach: when one is offered over the network, and how it is found there.

A volume that no machine has is a file on its node. The first machine decides how it is opened: by one on the same node
as the file that it is; by one elsewhere, or where several may have it, through an export, which then all use until the
last has let go. What opens a file and what serves it would each hold the other off.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from cumulet.contracts.backends import Storage
from cumulet.contracts.machines import VolumeConnection
from cumulet.core.db import Transaction
from cumulet.services.block_storage.errors import VolumeUnreachable
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.row import ENDING, AttachmentRow, VolumeRow
from cumulet.services.block_storage.volumes.status import is_offered_as_wished
from cumulet.services.fleet.public import NodeView

_SECRET_BYTES = 32


def reaches_out(node: NodeView | None) -> bool:
    """Whether what lies on this node can be had from others."""
    return node is not None and bool(node.facts.tunnel_address)


def users(attachments: Iterable[AttachmentRow]) -> list[AttachmentRow]:
    """Those by which a machine has the volume, or is about to."""
    return [one for one in attachments if one.by_compute and one.host]


def storage_at(node: NodeView | None, volume: VolumeRow) -> Storage | None:
    """What a volume's backend is on a node; none: the node has not got it, or has another one of this name."""
    for facts in node.facts.backends if node is not None else ():
        if facts.name == volume.backend and facts.storage.cluster == volume.cluster:
            return facts.storage
    return None


async def connect(
    room: BlockStorage, tx: Transaction, volume: VolumeRow, host: str, nodes: Mapping[str, NodeView]
) -> VolumeConnection | None:
    """How a host reaches a volume; None: it will, but does not yet. Of the nodes, that one and the one where the volume
    lies are looked at."""
    storage = storage_of(volume, host, nodes)
    if volume.export_secret:
        return offered(volume, storage)
    if opens_itself(room, volume, storage, host, nodes):
        return None if volume.exported else opened(volume, storage)
    must_be_offered(volume, storage, host, nodes)
    await begin(room, tx, volume)
    return None


def storage_of(volume: VolumeRow, host: str, nodes: Mapping[str, NodeView]) -> Storage:
    """What a volume lies on, as its node or the host that is to reach it tells."""
    return storage_at(nodes.get(volume.node), volume) or storage_at(nodes.get(host), volume) or Storage(driver="")


def opened(volume: VolumeRow, storage: Storage) -> VolumeConnection:
    """How a host that has the backend opens a volume. Pure."""
    return VolumeConnection(
        volume_id=volume.id,
        backend=volume.backend,
        protocol=storage.opened,
        shared=bool(storage.cluster),
        encrypted=bool(volume.encryption_key_id),
    )


def offered(volume: VolumeRow, storage: Storage) -> VolumeConnection | None:
    """How any host reaches a volume that is offered; None: its node has not said where. Pure."""
    if not is_offered_as_wished(volume):
        return None
    address, _, target = volume.exported.rpartition("/")
    place, _, port = address.rpartition(":")
    return VolumeConnection(
        volume_id=volume.id,
        backend=volume.backend,
        protocol=storage.offered,
        host=place,
        port=int(port),
        target=target,
        secret=volume.export_secret,
        # Who serves by NBD has decrypted it.
        encrypted=bool(volume.encryption_key_id) and storage.offered != "nbd",
    )


def must_be_offered(volume: VolumeRow, storage: Storage, host: str, nodes: Mapping[str, NodeView]) -> None:
    """Raise VolumeUnreachable for a volume that a host neither opens itself nor reaches at its node."""
    if not storage.offered:
        raise VolumeUnreachable(
            f"Volume {volume.id} lies in the backend {volume.backend}, which {host} does not have. Name it in that "
            "node's settings, or let the server be on a node that has it."
        )
    if volume.node != host and not reaches_out(nodes.get(volume.node)):
        raise VolumeUnreachable(
            f"Volume {volume.id} lies on node {volume.node}, which has no address at which {host} could reach it. "
            "Start that node with --tunnel-address, or let the server be on it."
        )


def opens_itself(
    room: BlockStorage, volume: VolumeRow, storage: Storage, host: str, nodes: Mapping[str, NodeView]
) -> bool:
    """Whether machines of the host open it by themselves, rather than through a node that serves it."""
    if not storage.opened or (volume.multiattach and not storage.many):
        return False
    if storage.cluster:
        return storage_at(nodes.get(host), volume) is not None
    return volume.node == host and not room.always_exports


async def begin(room: BlockStorage, tx: Transaction, volume: VolumeRow) -> None:
    """Let it be offered, to whoever has a new secret."""
    for one in users(await tx.find(AttachmentRow, volume_id=volume.id)):
        raise VolumeUnreachable(
            f"Volume {volume.id} is open as a file on node {volume.node} for server {one.server_id}. Detach it from "
            "there before it is reached in another way."
        )
    await store.order(room, tx, volume.id, export_secret=new_secret())


def new_secret() -> str:
    return secrets.token_hex(_SECRET_BYTES)


async def end_if_unused(room: BlockStorage, tx: Transaction, volume_id: str) -> None:
    """The export of a volume that no machine has any more ends. Its attachments have just changed."""
    volume = await tx.get(VolumeRow, id=volume_id)
    if volume is None or not volume.export_secret or users(await tx.find(AttachmentRow, volume_id=volume_id)):
        return
    await store.order(room, tx, volume_id, export_secret="", exported=ENDING)
