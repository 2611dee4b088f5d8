"""Identity's manifest."""

from __future__ import annotations

from cumulet.core.web.dialects.identity import IdentityDialect
from cumulet.core.web.service import Service
from cumulet.services.identity.assignments import grants, listing
from cumulet.services.identity.auth import places, tokens
from cumulet.services.identity.catalog.endpoints import endpoints
from cumulet.services.identity.catalog.regions import regions
from cumulet.services.identity.catalog.services import services
from cumulet.services.identity.groups import members
from cumulet.services.identity.groups.resource import groups
from cumulet.services.identity.projects.domains import domains
from cumulet.services.identity.projects.tags import tagged_projects
from cumulet.services.identity.roles import implied
from cumulet.services.identity.roles.resource import roles
from cumulet.services.identity.users import resource as user_resource
from cumulet.services.identity.users.resource import users
from cumulet.services.identity.versions import ROOTS


def service() -> Service:
    return Service(
        type="identity",
        name="keystone",
        path="/identity",
        prefix="/v3",
        catalog_version=False,
        dialect=IdentityDialect(),
        resources=[domains, tagged_projects, users, groups, roles, regions, services, endpoints],
        routes=[
            *tokens.ROUTES,
            *places.ROUTES,
            *user_resource.ROUTES,
            *members.ROUTES,
            *implied.ROUTES,
            *grants.ROUTES,
            *listing.ROUTES,
        ],
        roots=ROOTS,
        description="OpenStack Identity Service",
    )
