"""Identity's manifest."""

from __future__ import annotations

from cumulet.core.web.dialects.identity import IdentityDialect
from cumulet.core.web.service import Service
from cumulet.services.identity.assignments import grants, listing
from cumulet.services.identity.auth import places, retired, tokens
from cumulet.services.identity.catalog import endpoint_groups
from cumulet.services.identity.catalog.endpoints import endpoints
from cumulet.services.identity.catalog.regions import regions
from cumulet.services.identity.catalog.services import services
from cumulet.services.identity.credentials import tokens as signed
from cumulet.services.identity.credentials.ec2 import users_with_keys
from cumulet.services.identity.credentials.resource import credentials
from cumulet.services.identity.delegations.access_rules import access_rules
from cumulet.services.identity.delegations.application_credentials import credentials as application_credentials
from cumulet.services.identity.delegations.trusts import trusts
from cumulet.services.identity.domain_config import resource as domain_config
from cumulet.services.identity.endpoint_policies.associations import tied_policies
from cumulet.services.identity.federation import login, vouching, websso
from cumulet.services.identity.federation.identity_providers import identity_providers
from cumulet.services.identity.federation.mappings import mappings
from cumulet.services.identity.federation.protocols import protocols
from cumulet.services.identity.federation.service_providers import service_providers
from cumulet.services.identity.groups import members
from cumulet.services.identity.groups.resource import groups
from cumulet.services.identity.limits import resource as limit_resource
from cumulet.services.identity.limits.registered import registered_limits
from cumulet.services.identity.limits.resource import limits
from cumulet.services.identity.oauth import client_credentials, handshake
from cumulet.services.identity.oauth.access_tokens import access_tokens
from cumulet.services.identity.oauth.consumers import consumers
from cumulet.services.identity.projects.domains import domains
from cumulet.services.identity.projects.tags import tagged_projects
from cumulet.services.identity.roles import implied
from cumulet.services.identity.roles.resource import roles
from cumulet.services.identity.tokens import events
from cumulet.services.identity.users import resource as user_resource
from cumulet.services.identity.versions import ROOTS


def service() -> Service:
    return Service(
        type="identity",
        name="keystone",
        path="/identity",
        prefix="/v3",
        catalog_version=False,
        dialect=IdentityDialect(),
        resources=[
            domains,
            tagged_projects,
            users_with_keys,
            groups,
            roles,
            regions,
            services,
            endpoints,
            endpoint_groups.endpoint_groups,
            application_credentials,
            access_rules,
            trusts,
            credentials,
            registered_limits,
            limits,
            tied_policies,
            consumers,
            access_tokens,
            identity_providers,
            protocols,
            mappings,
            service_providers,
        ],
        routes=[
            *tokens.ROUTES,
            *places.ROUTES,
            *user_resource.ROUTES,
            *members.ROUTES,
            *implied.ROUTES,
            *grants.ROUTES,
            *listing.ROUTES,
            *endpoint_groups.ROUTES,
            *signed.ROUTES,
            *limit_resource.ROUTES,
            *domain_config.ROUTES,
            *events.ROUTES,
            *handshake.ROUTES,
            *client_credentials.ROUTES,
            *login.ROUTES,
            *websso.ROUTES,
            *vouching.ROUTES,
            *retired.ROUTES,
        ],
        roots=ROOTS,
        description="OpenStack Identity Service",
    )
