"""The programs that this driver runs, each with its limits. What they are told is decided elsewhere."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from cumulet.drivers.network.linux.interior import FoundInterior, parse_interior
from cumulet.drivers.network.linux.links import FoundLink, parse_links
from cumulet.drivers.network.linux.vxlan import Entry, parse_entries
from cumulet.lib import process
from cumulet.lib.netns import inside

_SECONDS = 60.0
_OUTPUT = 64 << 20
"""A thousand interfaces, a quarter of a million flows."""
_NAMESPACES = Path("/run/netns")


class Run(Protocol):
    """How a program is run: `process.run`, or something that watches it."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        input: bytes | None = None,
        net_namespace: str | None = None,
        check: bool = True,
        output_limit: int = 1 << 20,
    ) -> Awaitable[process.Completed]: ...


class Commands:
    """Runs them. Every failure is a `ProcessFailed`."""

    def __init__(self, run: Run = process.run) -> None:
        self._run = run

    async def links(self, namespace: str) -> dict[str, FoundLink]:
        return parse_links(await self._shown(["ip", "-n", namespace, "-d", "-j", "link", "show"]))

    async def interior(self, namespace: str) -> FoundInterior:
        ip = ["ip", "-n", namespace, "-j"]
        return parse_interior(
            await self._shown([*ip, "addr", "show"]),
            await self._shown([*ip, "-4", "route", "show", "table", "all", "proto", "static"]),
            await self._shown([*ip, "-6", "route", "show", "table", "all", "proto", "static"]),
            await self._shown([*ip, "neigh", "show", "proxy"]),
        )

    async def rules(self, namespace: str, family: str) -> bytes:
        """The rules by which tables of routes are chosen, as `ip -4` or `ip -6` shows them."""
        return await self._shown(["ip", family, "-n", namespace, "-j", "rule", "show"])

    async def entries(self, namespace: str) -> set[Entry]:
        return parse_entries(
            await self._shown(["bridge", "-n", namespace, "-j", "fdb", "show"]),
            await self._shown(["ip", "-n", namespace, "-j", "neigh", "show", "nud", "permanent"]),
        )

    async def queues(self, namespace: str) -> bytes:
        """The queueing disciplines, as `tc -j` shows them."""
        return await self._shown(["tc", "-n", namespace, "-j", "qdisc", "show"])

    async def hooks(self, namespace: str, device: str) -> bytes:
        """The programs that see what comes in to an interface, as `tc -j` shows them."""
        return await self._shown(["tc", "-n", namespace, "-j", "filter", "show", "dev", device, "ingress"])

    async def ip(self, namespace: str | None, lines: Iterable[str], family: str = "") -> None:
        await self._batch("ip", namespace, lines, *([family] if family else []))

    async def bridge(self, namespace: str, lines: Iterable[str]) -> None:
        await self._batch("bridge", namespace, lines)

    async def tc(self, namespace: str, lines: Iterable[str]) -> None:
        await self._batch("tc", namespace, lines)

    async def nft(self, namespace: str | None, script: str) -> None:
        """One transaction: all of it, or nothing."""
        if script:
            await self._run(["nft", "-f", "-"], timeout=_SECONDS, input=script.encode(), net_namespace=namespace)

    async def flows(self, namespace: str) -> bytes:
        """The connection tracker's table, as `conntrack -o save` writes it; both versions of IP."""
        return b"".join(
            [
                await self._shown(["conntrack", "-L", "-f", family, "-o", "save"], namespace)
                for family in ("ipv4", "ipv6")
            ]
        )

    async def end_flows(self, namespace: str, lines: Iterable[str]) -> None:
        """Lines for `conntrack -R`. A flow may have ended by itself meanwhile, which is as good."""
        script = "\n".join(lines)
        if script:
            await self._run(
                ["conntrack", "-R", "-"],
                timeout=_SECONDS,
                input=f"{script}\n".encode(),
                net_namespace=namespace,
                check=False,
            )

    async def other(self, argv: Sequence[str], namespace: str | None = None, *, check: bool = True) -> bytes:
        """Any other program."""
        done = await self._run(argv, timeout=_SECONDS, net_namespace=namespace, check=check)
        return done.stdout

    async def set_kernel(self, namespace: str | None, settings: Iterable[tuple[str, str]]) -> None:
        """Write (path below /proc/sys/net, value); runs no program. Without a namespace: where we are."""
        pairs = list(settings)

        def write() -> None:
            for path, value in pairs:
                Path("/proc/sys/net", path).write_text(value)

        if namespace is None:
            write()
        elif pairs:
            await inside(namespace, write)

    async def _shown(self, argv: Sequence[str], namespace: str | None = None) -> bytes:
        done = await self._run(argv, timeout=_SECONDS, net_namespace=namespace, output_limit=_OUTPUT)
        return done.stdout

    async def _batch(self, program: str, namespace: str | None, lines: Iterable[str], *options: str) -> None:
        script = "\n".join(lines)
        if script:
            where = ["-n", namespace] if namespace else []
            await self._run([program, *options, *where, "-batch", "-"], timeout=_SECONDS, input=f"{script}\n".encode())


def namespaces() -> set[str]:
    """The names of all network namespaces of this machine."""
    try:
        return set(os.listdir(_NAMESPACES))
    except FileNotFoundError:
        return set()


async def add_namespaces(commands: Commands, names: Iterable[str]) -> None:
    """Make those that are not there. Not with `-n`: that would keep them private to the command that made them."""
    await commands.ip(None, [f"netns add {name}" for name in names if name not in namespaces()])


async def delete_namespace(commands: Commands, name: str) -> None:
    if name in namespaces():
        await commands.ip(None, [f"netns del {name}"])
