"""How block storage can fail, in its own words."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class VolumeNotFound(NotFound):
    pass


class AttachmentNotFound(NotFound):
    pass


class TypeNotFound(NotFound):
    pass


class InvalidVolume(BadRequest):
    """The volume is not in a state that allows this."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid volume: {reason}")


class InvalidInput(BadRequest):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid input received: {reason}")


class VolumeInUse(Conflict):
    """Somebody else has the volume."""


class VolumeUnreachable(Conflict):
    """The volume's backend cannot be reached from that host."""
