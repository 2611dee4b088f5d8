"""Volumes, snapshots and attachments as compute needs to know them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class VolumeView(msgspec.Struct):
    """A volume as compute needs to know it."""

    id: str
    name: str
    status: str
    size: int
    project_id: str
    bootable: bool
    multiattach: bool
    availability_zone: str
    encrypted: bool
    image_metadata: dict[str, str]
    fault: str = ""
    node: str = ""
    """The only node that can open it; empty: any can, or it is not placed yet."""


class SnapshotView(msgspec.Struct):
    """A snapshot as compute needs to know it, before a volume is made of it."""

    id: str
    size: int
    bootable: bool
    image_metadata: dict[str, str]


class Promise(NamedTuple):
    """An attachment as compute needs to know it."""

    made_at: int
    moves: bool
    """Its volume is on its way elsewhere, or was called off and may be there all the same."""
    goes: bool
    """It is to go on."""
