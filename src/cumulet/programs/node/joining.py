"""What a node proves with that it is itself: a secret, which it is given once."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

from cumulet.contracts.assignments import NodeFacts
from cumulet.node.control_plane import HttpControlPlane
from cumulet.programs.secrets import keep_secret, node_secret
from cumulet.programs.settings import Settings

Join = Callable[[str, NodeFacts], Awaitable[str]]
"""Takes a token and who wants to join; gives the secret."""


async def secret_of(settings: Settings, url: str, token: str | None, facts: NodeFacts, join: Join | None = None) -> str:
    """This host's own node shares a file with the API; another one joins once and remembers."""
    if url.startswith("unix:"):
        return node_secret(settings)
    if not settings.node_address:
        sys.exit("cumulet: a node that joins needs --address HOST:PORT, where the cloud can ask it questions")
    file = settings.state / "node-secret"
    if file.exists() and (secret := file.read_text().strip()):
        return secret
    if not token:
        sys.exit("cumulet: to join, this node needs a token: run 'cumulet node-token' where the API runs")
    secret = await (join or HttpControlPlane(url, facts.name, "").join)(token, facts)
    keep_secret(file, secret)
    return secret
