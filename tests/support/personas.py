"""People who call: each has a name, a project and roles; his token is his name."""

from __future__ import annotations

from cumulet.core.access.caller import Caller
from cumulet.core.errors import Unauthorized

DEMO = "d" * 32
ALT = "a" * 32


def persona(name: str, project_id: str, *roles: str, system: bool = False) -> Caller:
    return Caller(
        user_id=f"{name}-id",
        user_name=name,
        project_id=project_id,
        project_name=project_id[:4],
        project_domain_id="default",
        roles=roles,
        system=system,
        token_id=name,
    )


PERSONAS = {
    caller.user_name: caller
    for caller in (
        persona("admin", "0" * 32, "admin", "manager", "member", "reader"),
        persona("manager", DEMO, "manager", "member", "reader"),
        persona("member", DEMO, "member", "reader"),
        persona("reader", DEMO, "reader"),
        persona("stranger", ALT, "member", "reader"),
        persona("nobody", DEMO),
        persona("service", "5" * 32, "service"),
    )
}


async def authenticate(token: str, service_token: str = "") -> Caller:
    """The caller of a persona's name."""
    try:
        return PERSONAS[token]
    except KeyError:
        raise Unauthorized from None
