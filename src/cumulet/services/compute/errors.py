"""How compute can fail, in its own words."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, Forbidden, NotFound


class KeyPairNotFound(NotFound):
    pass


class KeyPairExists(Conflict):
    pass


class InvalidKeyPair(BadRequest):
    pass


class FlavorNotFound(NotFound):
    pass


class FlavorExists(Conflict):
    pass


class InstanceNotFound(NotFound):
    pass


class InvalidServer(BadRequest):
    """A wish for a server that cannot be met, whatever the state of the cloud."""


class InstanceInvalidState(Conflict):
    """The action does not fit the state that the server is in."""

    def __init__(self, action: str, server_id: str, attribute: str, state: str) -> None:
        super().__init__(f"Cannot '{action}' instance {server_id} while it is in {attribute} {state}")


class InstanceIsLocked(Conflict):
    def __init__(self, server_id: str) -> None:
        super().__init__(f"Instance {server_id} is locked")


class InstanceNotReady(Conflict):
    pass


class Limited(Forbidden):
    """More of something than one server may have."""


class ServerGroupNotFound(NotFound):
    pass


class AggregateNotFound(NotFound):
    pass


class AggregateConflict(Conflict):
    pass


class HostNotFound(NotFound):
    pass


class MigrationNotFound(NotFound):
    pass


class AttachmentNotFound(NotFound):
    pass
