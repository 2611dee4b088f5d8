"""What we remember of those who vouch for people, and of those to whom we vouch."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored

UNSET = -1
"""A time to live that was not given."""


@stored("identity_providers", sa.Index("identity_providers_domain", "domain_id", unique=True))
class IdentityProviderRow(Row):
    """Somebody who vouches for people. They live in his domain."""

    id: Id
    domain_id: Ref
    enabled: bool
    description: LongText
    authorization_ttl: Number
    """Minutes for which a person keeps the groups that a login brought; UNSET: as the settings say."""
    remote_ids: Json
    """The names that he gives himself, in the order in which they were given."""
    created_at: Instant


@stored("identity_remote_ids", sa.Index("identity_remote_ids_name", "remote_id", unique=True))
class RemoteIdRow(Row):
    """A name that a provider gives himself; no two share one."""

    idp_id: Annotated[str, sa.String(64), PRIMARY]
    remote_id: Annotated[str, sa.String(255), PRIMARY]


@stored("identity_protocols", sa.Index("identity_protocols_mapping", "mapping_id"))
class ProtocolRow(Row):
    """A way in which a provider vouches, and the mapping that tells what is believed of it."""

    idp_id: Annotated[str, sa.String(64), PRIMARY]
    id: Annotated[str, sa.String(64), PRIMARY]
    mapping_id: Ref
    remote_id_attribute: Short
    """The attribute in which the provider names himself; empty: as the settings say."""
    created_at: Instant


@stored("identity_mappings")
class MappingRow(Row):
    """Rules that make a user of the attributes of a person."""

    id: Id
    rules: Json
    schema_version: Short
    created_at: Instant


@stored("identity_service_providers")
class ServiceProviderRow(Row):
    """Another cloud, which believes what this one says of its users."""

    id: Id
    auth_url: Name
    """Where a token is given to whom it has let in."""
    sp_url: Name
    """Where assertions are sent."""
    enabled: bool
    description: LongText
    relay_state_prefix: Name
    created_at: Instant


@stored(
    "identity_federated_identities",
    sa.Index("identity_federated_identities_name", "idp_id", "protocol_id", "unique_id", unique=True),
    sa.Index("identity_federated_identities_user", "user_id"),
)
class FederatedIdentityRow(Row):
    """What a user is called by a provider who vouches for him."""

    id: Id
    user_id: Ref
    idp_id: Ref
    protocol_id: Ref
    unique_id: Name


@stored("identity_expiring_memberships")
class ExpiringMembershipRow(Row):
    """A user in a group, as a login brought it, until it has to be brought again."""

    user_id: Annotated[str, sa.String(64), PRIMARY]
    group_id: Annotated[str, sa.String(64), PRIMARY]
    idp_id: Annotated[str, sa.String(64), PRIMARY]
    expires_at: Instant


@stored("identity_seen_assertions", sa.Index("identity_seen_assertions_end", "ends_at"))
class SeenAssertionRow(Row):
    """An assertion that was taken, until it would not be taken any more: nobody may bring it again."""

    id: Id
    """A digest of the provider and the assertion's own id."""
    ends_at: Instant
