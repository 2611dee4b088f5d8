"""Which networks a caller may use."""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network import rbac
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow


async def usable_network(tx: Transaction, call: Call, network_id: str) -> NetworkRow:
    """A network that the caller may use, if only as a way out. Raises NetworkNotFound."""
    network = await tx.get(NetworkRow, id=network_id)
    caller = call.caller.project_id
    if network and (
        network.project_id == caller
        or rbac.shared_with(network.shared_with, caller)
        or rbac.sees_all(call)
        or (network.external and await rbac.leads_out(tx, network.id, caller))
    ):
        return network
    raise NetworkNotFound(f"Network {network_id} could not be found.")
