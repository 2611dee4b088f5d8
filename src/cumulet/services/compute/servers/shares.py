"""What a server's ports ask of its host: shares of its wires and of its speed with packets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.servers.row import NicRow
from cumulet.services.network.public import NicView, ResourceRequest
from cumulet.services.placement.public import Ask, Asks


def asks_at(
    host: str,
    cards: Sequence[NicRow],
    ports: Mapping[str, NicView],
    pending: Mapping[str, ResourceRequest],
    flavor: Flavor,
) -> Asks:
    """What is to be given there. A port that is bound there keeps what it was bound with, from whom it has it: a policy
    that it got later asks for nothing before the next move."""
    asks: list[Ask] = []
    together: list[frozenset[str]] = []
    for card in cards:
        port = ports.get(card.port_id or "")
        request = port.request if port else pending.get(card.id)
        if request is None:
            continue
        bound = port.allocation if port and host and port.host == host else None
        groups = [group for group in request.request_groups if bound is None or group.id in bound]
        asks += [
            Ask(group.id, group.resources, frozenset(group.required), (bound or {}).get(group.id, ""))
            for group in groups
        ]
        if len(groups) > 1:
            together.append(frozenset(group.id for group in groups) & frozenset(request.same_subtree))
    isolate = flavor.extra_specs.get("group_policy") == "isolate"
    return Asks(tuple(asks), tuple(ids for ids in together if ids), isolate)
