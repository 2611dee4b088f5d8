"""A fabric and a node that the suites look at."""

from __future__ import annotations

from cumulet.contracts.networks import (
    Fabric,
    NetworkType,
)
from cumulet.drivers.network.linux.node import Node
from tests.support.network.fabrics import (
    NODE,
    OPEN,
    external_network,
    port,
    router,
    tenant_network,
)

HERE = Node(NODE, "maple", "198.51.100.21", host_gateway=True)


RED = tenant_network("red", type=NetworkType.VXLAN, segmentation_id=5)


ANN = port("ann", "red", "10.0.0.10")


FAR = port("far", "red", "10.0.0.20", host="oak", tunnel_address="198.51.100.22")


WAY = router("way", "red", "198.51.100.11", ("198.51.100.101", "10.0.0.10"))


FABRIC = Fabric(networks=(external_network(), RED), ports=(ANN, FAR), groups=(OPEN,), routers=(WAY,))


ZONES = {network.id: number for number, network in enumerate(FABRIC.networks, 1)}
