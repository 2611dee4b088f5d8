"""From what is believed of a person to his token."""

from __future__ import annotations

import logging

from cumulet.core.db import Duplicate
from cumulet.core.web.request import Response
from cumulet.services.identity.auth.authenticate import issue, receipt_for
from cumulet.services.identity.auth.body import FEDERATED
from cumulet.services.identity.auth.lookup import named_user
from cumulet.services.identity.auth.password import check_standing, note_success
from cumulet.services.identity.auth.proof import Proof, Voucher
from cumulet.services.identity.auth.scope import Scope
from cumulet.services.identity.directories.looking import look_up
from cumulet.services.identity.errors import AuthenticationFailed, Missing, NotAllowed
from cumulet.services.identity.federation.mapping import LOCAL, Attributes, Mapped, Person, Unmapped, mapped
from cumulet.services.identity.federation.rows import IdentityProviderRow, MappingRow, ProtocolRow
from cumulet.services.identity.federation.rules import read_rules
from cumulet.services.identity.federation.shadows import settle
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import Valid
from cumulet.services.identity.users.row import UserRow

log = logging.getLogger("cumulet.federation")


async def find_way(room: Identity, idp_id: str, protocol_id: str) -> tuple[IdentityProviderRow, ProtocolRow]:
    """The provider and the protocol of a path. Raises Missing, or NotAllowed for a provider who is disabled."""
    async with room.database.read() as tx:
        provider = await tx.get(IdentityProviderRow, id=idp_id)
        protocol = await tx.get(ProtocolRow, idp_id=idp_id, id=protocol_id)
    if provider is None:
        raise Missing(f"Could not find identity provider: {idp_id[:64]}.")
    if protocol is None:
        raise Missing(f"Could not find protocol: {protocol_id[:64]}.")
    if not provider.enabled:
        raise NotAllowed(f"The identity provider {provider.id} is disabled.")
    return provider, protocol


async def enter(
    room: Identity, provider: IdentityProviderRow, protocol: ProtocolRow, attributes: Attributes
) -> tuple[str, Valid] | Response:
    """A token without a scope for somebody with these attributes; or the receipt of a proof that needs another one.

    Raises AuthenticationFailed.
    """
    try:
        found = await _mapped(room, provider, protocol, attributes)
        if found.person.type == LOCAL:
            user, voucher = await _local_user(room, found.person), Voucher()
        else:
            try:
                plan = await settle(room, provider, protocol, found)
            except Duplicate:  # the same person came twice at the same moment
                plan = await settle(room, provider, protocol, found)
            user, voucher = plan.user, Voucher(provider.id, protocol.id, plan.group_ids)
    except Unmapped as reason:
        log.warning("%s by %s lets nobody in: %s", provider.id, protocol.id, reason)
        raise AuthenticationFailed from reason
    await check_standing(room, user)
    method = protocol.id if protocol.id in FEDERATED else "mapped"
    unfinished = await receipt_for(room, user, (method,))
    if unfinished is not None:
        return unfinished
    await note_success(room, user)
    return await issue(room, Proof(user, (method,), voucher=voucher), (method,), Scope())


async def _mapped(
    room: Identity, provider: IdentityProviderRow, protocol: ProtocolRow, attributes: Attributes
) -> Mapped:
    async with room.database.read() as tx:
        mapping = await tx.get(MappingRow, id=protocol.mapping_id)
    if mapping is None:
        raise Unmapped(f"its mapping {protocol.mapping_id} is gone")
    return mapped(read_rules(mapping.rules), attributes, mapping.schema_version, provider.domain_id)


async def _local_user(room: Identity, person: Person) -> UserRow:
    """The user of this cloud, or of one of its directories, whom the rules name. Raises Unmapped."""
    domain = {"id": person.domain.id, "name": person.domain.name}
    words = await look_up(room, {"id": person.id, "name": person.name, "domain": domain})
    async with room.database.read() as tx:
        user = await named_user(tx, words)
    if user is None:
        raise Unmapped(f"there is no user {person.id or person.name!r:.80}")
    return user
