"""What a router counts: by its rules, once, and on and on while other things change."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.networks import Fabric, FloatingSpec, Metered, MeterRule, MeterSpec
from tests.support.network.fabrics import OPEN, OUTSIDE, external_network, port, router, tenant_network, uid, with_
from tests.support.network.guests import SOMETHING_COMES_SECONDS
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root


def meter(name: str, *rules: MeterRule) -> MeterSpec:
    return MeterSpec(id=uid(name), rules=rules)


OUT = meter(
    "out", MeterRule(direction="egress", source="10.0.0.0/24"), MeterRule(direction="egress", source="0.0.0.0/0")
)
IN = meter("in", MeterRule(direction="ingress", destination="10.0.0.10/32"))
BUT = meter(
    "but",
    MeterRule(direction="egress", source="10.0.0.0/24"),
    MeterRule(direction="egress", source="10.0.0.10/32", excluded=True),
)
SIX = meter(
    "six", MeterRule(direction="egress", destination="::/0"), MeterRule(direction="ingress", source="2001:db8::/64")
)
WAY = router("way", "red", "198.51.100.11", meters=(OUT, IN, BUT, SIX))
ANN, BOB = port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11")
FABRIC = Fabric(networks=(external_network(), tenant_network("red")), ports=(ANN, BOB), groups=(OPEN,), routers=(WAY,))


async def counted(world: LinuxWorld) -> dict[str, Metered]:
    names = {uid(name): name for name in ("out", "in", "but", "six")}
    return {names[found.id]: found for found in await world.driver.metered(WAY.id)}


async def test_what_passes_the_gateway_is_counted_by_rules(world: LinuxWorld) -> None:
    await world.start(FABRIC)
    assert await world.guest("ann").ping(OUTSIDE, SOMETHING_COMES_SECONDS)
    found = await counted(world)
    assert set(found) == {"out", "in", "but", "six"}
    # One echo and its answer: an IP header, eight octets and a word. Two rules fit, and it counts once.
    size = 20 + 8 + 5
    assert (found["out"].packets, found["out"].bytes) == (1, size)
    assert (found["in"].packets, found["in"].bytes) == (1, size)
    assert (found["but"].packets, found["six"].packets) == (0, 0)
    assert await world.guest("bob").ping(OUTSIDE, SOMETHING_COMES_SECONDS)
    found = await counted(world)
    assert [found[name].packets for name in ("out", "in", "but")] == [2, 1, 1]
    # Between neighbours nothing passes the gateway.
    assert await world.guest("ann").ping("10.0.0.11", SOMETHING_COMES_SECONDS)
    assert (await counted(world))["out"].packets == 2


async def test_counters_go_on_while_the_router_changes(world: LinuxWorld) -> None:
    await world.start(FABRIC)
    assert await world.guest("ann").ping(OUTSIDE, SOMETHING_COMES_SECONDS)
    floating = (FloatingSpec(id=uid("f"), floating="198.51.100.101", fixed="10.0.0.10"),)
    changed = msgspec.structs.replace(WAY, floating=floating, meters=(OUT, meter("in", *OUT.rules)))
    await world.driver.apply(with_(FABRIC, routers=(changed,)))
    await world.restart()
    await world.driver.apply(with_(FABRIC, routers=(changed,)))
    assert await world.guest("ann").ping(OUTSIDE, SOMETHING_COMES_SECONDS)
    found = await counted(world)
    assert set(found) == {"out", "in"}
    assert found["out"].packets == 2
    assert found["in"].packets == 2  # Its rules are others now; what it had counted stays.
    await world.driver.apply(with_(FABRIC, routers=(msgspec.structs.replace(WAY, meters=()),)))
    assert await counted(world) == {}
    tables = await world.commands.other(["nft", "list", "tables"], f"{world.namespace}-qrouter-{WAY.id}")
    assert b"metering" not in tables
    with pytest.raises(LookupError):
        await world.driver.metered(uid("elsewhere"))
