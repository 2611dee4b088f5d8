"""A volume as it is ordered and as it is found."""

from __future__ import annotations

import hashlib

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import LOCAL
from cumulet.contracts.machines import ImageRef
from cumulet.contracts.record import Record

COPY_FORMATS = ("qcow2", "raw")
"""What a copy of a volume can be written as."""

WHOLE, CONTENT, EMPTY = "file", "content", "empty"
"""As what a volume goes from one backend to another."""


class VolumeSpec(Record, frozen=True, kw_only=True):
    """A volume on one backend of a node."""

    id: str
    size_gib: int
    backend: str = LOCAL
    elsewhere: bool = False
    """Another node looks after it now, on the same storage: here nothing is to be done with it, nor destroyed."""
    image: ImageRef | None = None
    """Made from this image."""
    volume_id: str = ""
    """Made as a copy of this volume of the same backend."""
    snapshot_id: str = ""
    """Made from this snapshot of the same backend."""
    adopt: str = ""
    """Made of the volume of this name that is found on the backend and belongs to nobody: it has the new id then."""
    arrives: str = ""
    """It is on another backend now, and the control plane hands it on: as a `file`, with all that is in it, between
    backends of one kind of content; as `content`, the bytes that a machine would find in it, between any two. As
    `empty` it is made without any: the machine that has it open brings them."""
    arrives_from: str = ""
    """The backend of this very node where it is until it has arrived."""
    leaves: str = ""
    """The backend of this very node where it was before, and from which it is to be destroyed."""
    snapshots: tuple[str, ...] = ()
    """Snapshots that must exist; those gone from here are removed."""
    reverts: int = 0
    """Counts how often the owner has asked to return to a snapshot; the node makes its own count reach this one."""
    revert_to: str = ""
    """The snapshot meant by the last of them."""
    reimages: int = 0
    """Counts how often the content of `image` was asked for in the place of its own."""
    restores: int = 0
    """Counts how often the content of a backup was asked for in the place of its own, as `reverts` does."""
    restore_from: str = ""
    """The backup meant by the last of them."""
    encrypted: bool = False
    """The node fetches its key when it needs it; it stands in no order."""
    key_bits: int = 512
    """Of AES in XTS mode."""
    export_secret: str = ""
    """Set: machines of any node that have this secret reach the volume by NBD, and only so."""
    beside: VolumeSpec | None = None
    """The same volume on another backend of this very node, to which its machine brings it."""


class VolumeFacts(Record, frozen=True, kw_only=True):
    """A volume as a node found it."""

    id: str
    size_gib: int
    digest: str = ""
    snapshots: tuple[str, ...] = ()
    snapshot_sizes: tuple[int, ...] = ()
    """GiB that the volume had when each of them was taken."""
    encrypted: bool = False
    reverts: int = 0
    reimages: int = 0
    restores: int = 0
    connected_to: tuple[str, ...] = ()
    """Ids of the machines here that have it open now; `export` stands for all that reach it by its export."""
    exported: str = ""
    """Where it is reached, as `host:port/name`. The name tells exports with different secrets apart."""
    beside: VolumeFacts | None = None
    fault: Fault | None = None


def export_name(secret: str) -> str:
    """The name of the export that has this secret; it does not tell the secret."""
    return hashlib.sha256(b"export " + secret.encode()).hexdigest()[:32]
