"""Authentication by an application credential."""

from __future__ import annotations

from typing import Any

from cumulet.services.identity.auth.lookup import named_user
from cumulet.services.identity.auth.password import check_standing
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.delegations.rows import ApplicationCredentialRow
from cumulet.services.identity.errors import AuthenticationFailed, InvalidValue
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow


async def by_application_credential(room: Identity, given: dict[str, Any]) -> Proof:
    """The user of a credential whose secret this is. Raises AuthenticationFailed."""
    async with room.database.read() as tx:
        credential, user = None, None
        if given.get("id"):
            credential = await tx.get(ApplicationCredentialRow, id=given["id"])
        elif given.get("name") and given.get("user"):
            user = await named_user(tx, given["user"])
            if user:
                credential = await tx.get(ApplicationCredentialRow, user_id=user.id, name=given["name"])
        else:
            raise InvalidValue("Give the id of the application credential, or its name and its user.")
        if credential and not user:
            user = await tx.get(UserRow, id=credential.user_id)
    right = await room.hasher.check(given["secret"], credential.secret if credential else "")
    if not right or credential is None or user is None:
        raise AuthenticationFailed
    if credential.expires_at and credential.expires_at <= room.clock.now():
        raise AuthenticationFailed
    await check_standing(room, user)
    return Proof(
        user,
        ("application_credential",),
        credential=credential,
        project_id=credential.project_id,
        expires_at=credential.expires_at,
    )
