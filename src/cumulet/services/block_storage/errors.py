"""How block storage can fail, in its own words."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class VolumeNotFound(NotFound):
    pass


class BackupNotFound(NotFound):
    pass


class AttachmentNotFound(NotFound):
    pass


class SnapshotNotFound(NotFound):
    pass


class TypeNotFound(NotFound):
    pass


class TransferNotFound(NotFound):
    pass


class QosSpecsNotFound(NotFound):
    pass


class MessageNotFound(NotFound):
    pass


class ServiceNotFound(NotFound):
    pass


class GroupNotFound(NotFound):
    pass


class GroupTypeNotFound(NotFound):
    pass


class MetadataKeyNotFound(NotFound):
    """There is no such key in the metadata."""


class InvalidVolume(BadRequest):
    """The volume is not in a state that allows this."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid volume: {reason}")


class InvalidSnapshot(BadRequest):
    """The snapshot is not in a state that allows this."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid snapshot: {reason}")


class InvalidBackup(BadRequest):
    """The backup is not in a state that allows this."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid backup: {reason}")


class InvalidInput(BadRequest):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid input received: {reason}")


class InvalidType(BadRequest):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid volume type: {reason}")


class InvalidGroupType(BadRequest):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid group type: {reason}")


class VolumeInUse(Conflict):
    """Somebody else has the volume."""


class HeldByCompute(Conflict):
    """The compute service made this attachment for a server; it must end it."""


class NameTaken(Conflict):
    """Another one has this name."""


class StillUsed(Conflict):
    """Something else needs it."""


class VolumeUnreachable(Conflict):
    """The volume's backend cannot be reached from that host."""
