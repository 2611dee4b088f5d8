"""(wish) → what the node that looks after a volume is told. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from cumulet.contracts.machines import ImageRef
from cumulet.contracts.volumes import VolumeSpec
from cumulet.services.block_storage.snapshots.row import SnapshotRow, on_node
from cumulet.services.block_storage.volumes.row import VolumeRow


def order_of(
    volume: VolumeRow,
    snapshots: Sequence[SnapshotRow],
    copied: Collection[str] = (),
    source: SnapshotRow | None = None,
    image: ImageRef | None = None,
) -> VolumeSpec:
    """`snapshots` are the volume's, and those in `copied` stay although they should go. `source` is the snapshot that
    the volume is made of, and `image` what it was last to hold. What failed is ordered as it was before."""
    failed = bool(volume.fault)
    at, _, behind = volume.leaves.partition("@")
    return VolumeSpec(
        id=volume.id,
        size_gib=max(volume.made_size, 1) if failed else volume.size,
        backend=volume.backend,
        image=image,
        volume_id=volume.source_volume_id,
        snapshot_id=on_node(source) if source else volume.snapshot_id,
        adopt=volume.adopt,
        snapshots=(
            *(on_node(row) for row in snapshots if (row.wanted and not row.fault) or row.id in copied),
            *msgspec.json.decode(volume.left, type=list[str]),
        ),
        reverts=volume.reverts,
        revert_to=next((on_node(row) for row in snapshots if row.id == volume.revert_to), volume.revert_to),
        reimages=volume.made_reimages if failed else volume.reimages,
        restores=volume.made_restores if failed else volume.restores,
        restore_from=volume.restore_from,
        encrypted=bool(volume.encryption_key_id),
        export_secret=volume.export_secret,
        leaves=behind if at == volume.node else "",
        **({"key_bits": msgspec.json.decode(volume.encryption)["key_size"]} if volume.encryption else {}),
    )
