"""The dnsmasq processes of a node: what they are started with, and which changes they can be told of."""

from __future__ import annotations

import contextlib
import grp
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

from cumulet.drivers.network.linux.dhcp import DhcpText
from cumulet.drivers.network.linux.residents import Resident, write_whole

_FILES = ("hosts", "names", "options")
_UNPRIVILEGED = "nobody"
_DHCP_SOCKETS = {"udp": 67, "udp6": 547}


class Dnsmasq(Resident):
    """One dnsmasq in one namespace."""

    async def ensure(self, text: DhcpText) -> None:
        """Make it run with these arguments and files. Raises OSError or `ProcessFailed`."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        arguments = [
            "dnsmasq",
            *_conduct(self.folder),
            *(argument.format_map(self._paths()) for argument in text.arguments),
        ]
        wanted = {"hosts": text.hosts, "names": text.names, "options": text.options}
        before = self._files()
        for name, content in wanted.items():
            if before.get(name) != content:
                write_whole(self.folder / name, content)
        if self.runs_with(arguments):
            if before == wanted:
                return
            if can_reload(before, wanted):
                self.reload()
                return
        serves = {proto for proto in _DHCP_SOCKETS if any(_is_range(argument, proto) for argument in arguments)}
        await self.start(arguments, lambda pid: _listens(pid, serves))

    def _paths(self) -> dict[str, str]:
        return {name: str(self.folder / name) for name in _FILES}

    def _files(self) -> dict[str, str]:
        found = {}
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError):
                found[name] = (self.folder / name).read_text()
        return found


def can_reload(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether a signal will do. Pure.

    It keeps the lease of a host that went, so that nobody else could have its address; and reading a host anew that
    has a tag kills it (2.86 and later).
    """
    old, new = before.get("hosts", "").splitlines(), after.get("hosts", "").splitlines()
    return set(old) <= set(new) and not any(",set:" in line for line in (*old, *new))


def _conduct(folder: Path) -> list[str]:
    """How it behaves as a process: in the foreground, with no file of the host's, and without rights if that can be."""
    common = ["--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--pid-file", "--log-facility=-"]
    if not _can_give_up_rights():
        # In a user namespace of one user nobody else can be become, and even trying to is an error.
        return ["--no-daemon", *common]
    user = pwd.getpwnam(_UNPRIVILEGED)
    name = _UNPRIVILEGED if _everybody_reaches(folder) else "root"
    group = grp.getgrgid(user.pw_gid if name == _UNPRIVILEGED else 0).gr_name
    return ["--keep-in-foreground", *common, f"--user={name}", f"--group={group}"]


def _can_give_up_rights() -> bool:
    try:
        return Path("/proc/self/setgroups").read_text().strip() != "deny"
    except FileNotFoundError:
        return True


def _everybody_reaches(folder: Path) -> bool:
    """It reads its files again long after it gave up its rights."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))


def _is_range(argument: str, protocol: str) -> bool:
    if not argument.startswith("--dhcp-range=") or ",ra-only," in argument:
        return False
    return (":" in argument.partition(",")[2]) == (protocol == "udp6")


def _listens(pid: int, protocols: set[str]) -> bool:
    for protocol in protocols:
        try:
            table = Path(f"/proc/{pid}/net/{protocol}").read_text()
        except (FileNotFoundError, ProcessLookupError, OSError):
            return False
        if f":{_DHCP_SOCKETS[protocol]:04X} " not in table:
            return False
    return True
