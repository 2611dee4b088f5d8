"""File systems of elsewhere, mounted here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cumulet.lib import process
from cumulet.lib.process import ProcessFailed

MOUNT_SECONDS = 60
_ALWAYS = ("nosuid", "nodev", "noexec")
"""Nothing on it is ever run here, nor is a device."""
_ESCAPED = re.compile(r"\\([0-7]{3})")
_TABLE = Path("/proc/self/mountinfo")

Run = Callable[[Sequence[str]], Awaitable[object]]


class NotMounted(Exception):
    """The message says what is missing, for the operator."""


@dataclass(frozen=True)
class Mount:
    """One that should be there. Pure but for what is asked of the kernel."""

    kind: str
    """As `mount -t` takes it, such as `nfs`."""
    source: str
    options: str
    point: Path

    @property
    def arguments(self) -> list[str]:
        """What mounts it."""
        options = ",".join((*_ALWAYS, *filter(None, [self.options])))
        return ["mount", "-t", self.kind, "-o", options, "--", self.source, str(self.point)]

    def found(self, table: str) -> str | None:
        """What the kernel's table says is mounted there now; the last one hides those before it."""
        sources = [source for point, source in entries(table) if point == str(self.point)]
        return sources[-1] if sources else None


def entries(table: str) -> list[tuple[str, str]]:
    """(where, what) of each line of `/proc/self/mountinfo`. Pure."""
    found = []
    for line in table.splitlines():
        before, separator, after = line.partition(" - ")
        words, others = before.split(), after.split()
        if separator and len(words) > 4 and len(others) > 1:
            found.append((_plain(words[4]), _plain(others[1])))
    return found


def _plain(word: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), word)


async def run_mount(arguments: Sequence[str]) -> None:
    await process.run(list(arguments), timeout=MOUNT_SECONDS)


async def ensure(mount: Mount, run: Run = run_mount, table: Callable[[], str] = _TABLE.read_text) -> None:
    """Mount it, unless it is. Raises NotMounted."""
    there = mount.found(table())
    if there is None:
        mount.point.mkdir(parents=True, exist_ok=True)
        try:
            await run(mount.arguments)
        except (ProcessFailed, OSError) as error:
            raise NotMounted(f"{mount.source} could not be mounted: {str(error).strip()[-300:]}") from error
        there = mount.found(table())
    if there is None or there.rstrip("/") != mount.source.rstrip("/"):
        raise NotMounted(f"at {mount.point} is {there or 'nothing'}, not {mount.source}")
