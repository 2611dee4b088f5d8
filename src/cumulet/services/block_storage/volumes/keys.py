"""Keys of encrypted volumes: made with a volume, sealed in the database, told to the node that opens it, gone with it.

What opens the seal is in the state directory, not in the database: a copy of one of the two tells nothing.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from cumulet.core.db import Id, Instant, LongText, Ref, Row, Transaction, stored
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.errors import InvalidInput, VolumeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes.row import VolumeRow

KEY_BYTES = 32
CIPHER = "aes-xts-plain64"
SIZES = {0: 512, 256: 256, 512: 512}
"""Bits of the key that a type can ask for, and those it gets; of the two keys that XTS takes, together."""
PROVIDERS = ("luks", "luks2", "LuksEncryptor", "nova.volume.encryptors.luks.LuksEncryptor")


@stored("block_storage_keys")
class KeyRow(Row):
    """The key of one volume."""

    id: Id
    project_id: Ref
    sealed: LongText
    created_at: Instant


def wished(kind: TypeRow | None) -> dict[str, Any]:
    """How volumes of a type are encrypted; empty: they are not. Raises InvalidInput for what no node here can do."""
    asked: dict[str, Any] = msgspec.json.decode(kind.encryption) if kind and kind.encryption else {}
    if not asked:
        return {}
    assert kind is not None
    found = {
        "provider": asked["provider"],
        "control_location": asked["control_location"],
        "cipher": asked.get("cipher") or CIPHER,
        "key_size": asked.get("key_size") or 0,
    }
    if found["provider"] not in PROVIDERS:
        raise InvalidInput(
            f"the type {kind.name} asks for the encryption {found['provider'][:64]!r}; this cloud has luks"
        )
    if found["control_location"] != "front-end":
        raise InvalidInput(f"the type {kind.name} asks for encryption by the backend; here the machine's host does it")
    if found["cipher"] != CIPHER or found["key_size"] not in SIZES:
        raise InvalidInput(
            f"the type {kind.name} asks for {found['cipher'][:64]} with {found['key_size']} bits; "
            f"this cloud has {CIPHER} with 256 or 512"
        )
    return found | {"key_size": SIZES[found["key_size"]]}


async def make(room: BlockStorage, tx: Transaction, project_id: str) -> str:
    """A new key; its id."""
    sealed = room.seal.encrypt(secrets.token_hex(KEY_BYTES).encode()).decode()
    row = KeyRow(id=new_uuid(), project_id=project_id, sealed=sealed, created_at=room.clock.now())
    await tx.insert(row)
    return row.id


async def forget(tx: Transaction, key_id: str) -> None:
    """Whatever is left of the volume's bytes can never be read again."""
    if key_id:
        await tx.delete(KeyRow, id=key_id)


async def of_volume(room: BlockStorage, volume_id: str) -> str:
    """What opens a volume, for the node that holds it. Raises VolumeNotFound."""
    async with room.database.read() as tx:
        volume = await tx.get(VolumeRow, id=volume_id)
        row = await tx.get(KeyRow, id=volume.encryption_key_id) if volume and volume.encryption_key_id else None
    if row is None:
        raise VolumeNotFound(f"Volume {volume_id[:64]} has no key.")
    return room.seal.decrypt(row.sealed.encode()).decode()
