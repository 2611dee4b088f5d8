"""What this machine's kernel and programs can do, tried out in a namespace made for it, with a remedy for what lacks.

The last trial sends a packet through a bridge and looks whether the filter saw it, with the tracker's verdict: a kernel
that takes the rules and does not apply them would connect tenants unfiltered, so then we do not begin.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cumulet.drivers.network.linux.commands import Commands, add_namespaces, delete_namespace
from cumulet.drivers.network.linux.hooks import NEW
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.programs import placer
from cumulet.drivers.network.linux.tagging import Hook, tagging
from cumulet.lib.netns import inside
from cumulet.lib.process import ProcessFailed

_MODULES = {
    "tap": "tun",
    "veth": "veth",
    "bridge": "bridge",
    "bridged packets in the connection tracker": "br_netfilter",
    "vxlan": "vxlan",
    "vlan": "8021q",
    "limits towards guests": "sch_tbf",
    "frames of sub-ports": "cls_bpf",
    "rules for bridged frames": "nf_tables",
    "address translation": "nft_chain_nat",
    "filtering, tried with a packet": "br_netfilter",
}
_PROGRAMS = {
    "ip": "iproute2",
    "bridge": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "dnsmasq": "dnsmasq-base",
    "nsenter": "util-linux",
}
_ARRIVAL_SECONDS = 1.0
_FAILURES = (ProcessFailed, OSError, TimeoutError)
_BRIDGE = "stp_state 0 forward_delay 0 mcast_snooping 0"
_TRIAL_RULES = f"""
table inet trial {{
 chain zone {{ type filter hook prerouting priority raw; ct zone set 7; }}
 chain note {{ type filter hook prerouting priority mangle; ct state new meta mark set {NEW}; }}
}}
table bridge trial {{
 map jumps {{ type ifname : verdict; }}
 counter seen {{ }}
 chain forward {{ type filter hook forward priority 10; meta mark {NEW} udp dport 7 counter name seen; }}
 chain limited {{ ip dscp set 1; limit rate over 1000 bytes/second burst 2000 bytes drop; }}
}}
"""
_TRANSLATION = """
table inet translation {
 chain before { type nat hook prerouting priority dstnat; dnat ip to ip daddr map { 192.0.2.1 : 192.0.2.2 }; }
 chain after { type nat hook postrouting priority srcnat; masquerade; }
}
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One technique."""

    name: str
    needed: bool
    works: bool
    remedy: str = ""


class Unfit(Exception):
    """This machine cannot do what a node needs; the message says what, and what to do."""


async def refuse_if_unfit(commands: Commands, node: Node) -> None:
    """Raises `Unfit` unless everything that is needed works."""
    lacking = [finding for finding in await probe(commands, node) if finding.needed and not finding.works]
    if lacking:
        raise Unfit("; ".join(f"{finding.name} does not work: {finding.remedy}" for finding in lacking))


async def probe(commands: Commands, node: Node, which: Callable[[str], str | None] = shutil.which) -> list[Finding]:
    """Try everything. Leaves nothing behind."""
    found = [
        Finding(f"the program {name}", True, which(name) is not None, f"install the package {package}")
        for name, package in _PROGRAMS.items()
    ]
    found.append(Finding("IPv6", True, Path("/proc/sys/net/ipv6").exists(), "start the kernel without ipv6.disable=1"))
    if not all(finding.works for finding in found):
        return found
    standby = which("keepalived") is not None
    found.append(Finding("routers that several nodes hold", False, standby, "install the package keepalived"))
    namespace = f"{node.namespace}-probe"
    await delete_namespace(commands, namespace)
    try:
        await add_namespaces(commands, [namespace])
    except ProcessFailed as error:
        return [*found, Finding("network namespaces", True, False, f"run as root, or rootless ({error})")]
    try:
        return [*found, *[await _tried(commands, trial) for trial in _trials(commands, namespace)]]
    finally:
        await delete_namespace(commands, namespace)


@dataclass(frozen=True, slots=True)
class _Trial:
    name: str
    needed: bool
    act: Callable[[], Awaitable[None]]


def _trials(commands: Commands, namespace: str) -> list[_Trial]:
    def ip(*lines: str) -> Callable[[], Awaitable[None]]:
        return lambda: commands.ip(namespace, lines)

    return [
        _Trial("veth", True, ip("link add name a type veth peer name a1", "link add name b type veth peer name b1")),
        _Trial("bridge", True, ip(f"link add name br type bridge {_BRIDGE}")),
        _Trial(
            "bridged packets in the connection tracker",
            True,
            ip("link set dev br type bridge nf_call_iptables 1 nf_call_ip6tables 1"),
        ),
        _Trial("tap", True, ip("tuntap add dev tap0 mode tap")),
        _Trial("vxlan", True, ip("link add name vx type vxlan id 1 dstport 4789 local 127.0.0.1 nolearning")),
        _Trial("vlan", False, ip("link add link a name a.5 type vlan id 5")),
        _Trial(
            "limits towards guests",
            True,
            lambda: commands.tc(namespace, ["qdisc add dev tap0 root tbf rate 8mbit burst 50000 latency 100ms"]),
        ),
        _Trial("frames of sub-ports", False, lambda: _place_program(commands, namespace)),
        _Trial("rules for bridged frames", True, lambda: commands.nft(namespace, _TRIAL_RULES)),
        _Trial("address translation", True, lambda: commands.nft(namespace, _TRANSLATION)),
        _Trial("filtering, tried with a packet", True, lambda: _send_through(commands, namespace)),
    ]


async def _place_program(commands: Commands, namespace: str) -> None:
    await commands.tc(namespace, ["qdisc replace dev tap0 clsact"])
    index = {"tap0": (await commands.links(namespace))["tap0"].index}
    await inside(namespace, placer([Hook("tap0", 1, "trial", tagging(1, index["tap0"]))], index))


async def _tried(commands: Commands, trial: _Trial) -> Finding:
    module = _MODULES[trial.name]
    try:
        try:
            await trial.act()
        except _FAILURES:
            # Often it is only that nobody has asked for the module yet.
            if not await _loaded(commands, module):
                raise
            await trial.act()
    except PermissionError as error:
        return Finding(trial.name, trial.needed, False, f"run the node as root, not rootless ({error})")
    except _FAILURES as error:
        return Finding(trial.name, trial.needed, False, f"load the kernel module {module} ({error})")
    return Finding(trial.name, trial.needed, True)


async def _loaded(commands: Commands, module: str) -> bool:
    """Load it; whether that made a difference."""
    if shutil.which("modprobe") is None or Path("/sys/module", module).exists():
        return False
    await commands.other(["modprobe", "--quiet", module], check=False)
    return Path("/sys/module", module).exists()


async def _send_through(commands: Commands, namespace: str) -> None:
    await commands.ip(namespace, [f"link set dev {name} master br" for name in ("a", "b")])
    await commands.ip(namespace, [f"link set dev {name} up" for name in ("br", "a", "b", "a1", "b1")])
    deadline = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS
    while True:
        await inside(namespace, _send)
        shown = json.loads(await commands.other(["nft", "-j", "list", "counter", "bridge", "trial", "seen"], namespace))
        if any(item["counter"]["packets"] for item in shown["nftables"] if "counter" in item):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError("a packet passed, or did not, without being seen as a new flow")


def _send() -> None:
    """A broadcast UDP packet to port 7, into the far end of one port of the bridge."""
    udp = struct.pack("!HHHH", 7, 7, 8, 0)
    source, destination = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.255")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, source, destination)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]
    frame = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + struct.pack("!H", 0x0800) + header + udp
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
        opened.bind(("a1", 0))
        opened.send(frame)
