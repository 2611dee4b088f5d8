"""Routers that several nodes hold: one keepalived for each on each node agrees with the others on who runs it (VRRP).

It alone gives the router's legs their addresses and routes, and takes them away. So that holds while our agent or the
control plane is away, and of two nodes that lost sight of each other one gives way as soon as they meet again.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace

from cumulet.contracts.networks import RouterSpec, StandbySpec
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.guard import link_local
from cumulet.drivers.network.linux.interior import Interior
from cumulet.drivers.network.linux.residents import Resident, write_whole

_BEAT_SECONDS = 0.5
_REPEAT_SECONDS = 10
"""How often who runs a router tells its neighbours so: one that missed it does not wait for its own clock."""


class Keepalived(Resident):
    """One keepalived in one router's namespace."""

    async def ensure(self, text: str) -> None:
        """Make it run with this configuration. Raises OSError or `ProcessFailed`."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = self.folder / "conf"
        before = path.read_text() if path.exists() else ""
        if before != text:
            write_whole(path, text)
        pids = [f"--{kind}={self.folder / kind}" for kind in ("pid", "vrrp_pid")]
        arguments = ["keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={path}", *pids]
        if not self.runs_with(arguments):
            # By this file it says that it serves. One that was killed has left its own.
            (self.folder / "vrrp_pid").unlink(missing_ok=True)
            await self.start(arguments, lambda pid: (self.folder / "vrrp_pid").exists())
        elif before != text:
            self.reload()


def configuration(router: RouterSpec, inside: Interior) -> str:
    """What keepalived is told of a router; `inside` is what its namespace holds where the router runs. Pure."""
    standby = router.standby
    assert standby is not None
    beside = names.standby_leg(standby.leg.port_id)
    legs = [leg for leg in inside.legs if leg.name != beside and leg.up]
    addresses = [f"{address} dev {leg.name}" for leg in legs for address in leg.addresses]
    addresses += [f"{link_local(leg.mac)}/64 dev {leg.name}" for leg in legs if _speaks_six(leg.addresses)]
    routes = [f"{destination} {way}" for destination, way in inside.routes.items()] if legs else []
    return "\n".join(
        [
            "global_defs {",
            " vrrp_version 3",
            f" vrrp_garp_master_refresh {_REPEAT_SECONDS}",
            " vrrp_garp_master_delay 1",
            "}",
            "vrrp_instance router {",
            " state BACKUP",
            f" interface {beside}",
            f" virtual_router_id {standby.number}",
            f" priority {standby.priority}",
            f" advert_int {_BEAT_SECONDS}",
            # Who runs it goes on: a move back would cost every guest its connections once more.
            " nopreempt",
            *_block("unicast_peer", standby.peers),
            *_block("virtual_ipaddress", [f"{sign(standby)}/32 dev {beside}"]),
            *_block("virtual_ipaddress_excluded", addresses),
            *_block("virtual_routes", routes),
            "}",
            "",
        ]
    )


def _block(name: str, lines: Iterable[str]) -> list[str]:
    found = [f"  {line}" for line in lines]
    return [f" {name} {{", *found, " }"] if found else []


def _speaks_six(addresses: Iterable[str]) -> bool:
    return any(":" in address for address in addresses)


def sign(standby: StandbySpec) -> str:
    """The address beside the others by which one sees who runs the router."""
    return str(ipaddress.IPv4Address("169.254.0.0") + standby.number)


def looker(standby: StandbySpec) -> Callable[[], bool]:
    """Whether the router runs here, to be asked inside its namespace: only what is one's own can be bound."""

    def look() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trying:
            try:
                trying.bind((sign(standby), 0))
            except OSError:
                return False
            return True

    return look


def standing_back(inside: Interior, router: RouterSpec) -> Interior:
    """What we see to ourselves in the namespace of such a router: all but what keepalived gives and takes. Pure."""
    assert router.standby is not None
    beside = names.standby_leg(router.standby.leg.port_id)
    legs = tuple(leg if leg.name == beside else replace(leg, addresses=()) for leg in inside.legs)
    return replace(inside, legs=legs, routes={}, owns_routes=False, sign=sign(router.standby))
