"""Two gateways: what came in by one is answered by it, although the default route is the other's."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.networks import Fabric, GatewaySpec
from tests.support.network.fabrics import (
    OPEN,
    external_network,
    leg,
    port,
    router,
    second_external_network,
    tenant_network,
    with_,
)
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root
FAR = "192.0.2.9"


async def test_an_answer_leaves_where_the_question_came_in(world: LinuxWorld) -> None:
    # Zoe is the second provider's router, and somebody far behind it.
    way = GatewaySpec(
        leg=leg("second outside", "second", "203.0.113.11/24"), next_hops=("203.0.113.20",), floating=("203.0.113.101",)
    )
    both = router("r", "red", "198.51.100.11", ("203.0.113.101", "10.0.0.10"), further=(way,))
    fabric = Fabric(
        networks=(external_network(), second_external_network(), tenant_network("red")),
        ports=(port("ann", "red", "10.0.0.10"), port("zoe", "second", "203.0.113.20", security=False)),
        groups=(OPEN,),
        routers=(both,),
    )
    await world.start(fabric)
    zoe = world.guest("zoe")
    await zoe.lines(world.commands, f"addr add {FAR}/32 dev lo", f"route replace 203.0.113.101/32 dev eth0 src {FAR}")
    await world.guest("ann").listen("tcp", 80)
    answered = await zoe.connect("203.0.113.101", 80, SOMETHING_COMES_SECONDS)
    assert answered is not None
    assert answered.getsockname()[0] == FAR
    answered.close()
    # Ann's own flows leave by it too, under the floating address.
    assert await world.guest("ann").ping(FAR, SOMETHING_COMES_SECONDS)
    plain = msgspec.structs.replace(both, floating=())
    await world.driver.apply(with_(fabric, routers=(plain,)))
    assert not await world.guest("ann").ping(FAR, NOTHING_COMES_SECONDS)
