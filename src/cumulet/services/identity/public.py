"""Identity's door: who calls, and which projects there are."""

from __future__ import annotations

from copy import copy

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.access.quota import Allowance
from cumulet.core.errors import Unauthorized
from cumulet.services.identity.errors import TokenNotFound
from cumulet.services.identity.limits.allowance import allowance
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import validate

SERVICE_ROLE = "service"


class ProjectView(msgspec.Struct, frozen=True):
    """What other rooms may know of a project."""

    id: str
    name: str
    domain_id: str
    parent_id: str
    enabled: bool
    is_domain: bool


class IdentityDoor:
    """What other rooms ask identity."""

    def __init__(self, room: Identity) -> None:
        self._room = room

    async def authenticate(self, token: str, service_token: str) -> Caller:
        """The caller of a token. A token seen before costs no query. Raises Unauthorized."""
        try:
            if not service_token:
                return (await validate(self._room, token)).caller
            return await self._with_service(token, service_token)
        except TokenNotFound as error:
            raise Unauthorized from error

    async def _with_service(self, token: str, service_token: str) -> Caller:
        """The caller for whom a service speaks: his token may have ended while the service worked for him."""
        service = (await validate(self._room, service_token)).caller
        if not token:
            return service
        grace = self._room.settings.expired_window if SERVICE_ROLE in service.roles else 0
        caller = copy((await validate(self._room, token, grace=grace)).caller)
        caller.__dict__.pop("credentials", None)  # made from the attributes, of which one changes
        caller.service_roles = service.roles
        return caller

    async def project(self, project_id: str) -> ProjectView | None:
        async with self._room.database.read() as tx:
            row = await tx.get(ProjectRow, id=project_id)
        if row is None:
            return None
        return ProjectView(row.id, row.name, row.home, row.parent_id, row.enabled, row.is_domain)

    async def allowance(self, service_type: str, project_id: str) -> Allowance:
        """What the registered limits of a service and the limits under them allow a project; empty where none is."""
        async with self._room.database.read() as tx:
            return await allowance(tx, self._room.limit_model, self._room.region, service_type, project_id)

    async def project_exists(self, project_id: str) -> bool:
        return await self.project(project_id) is not None
