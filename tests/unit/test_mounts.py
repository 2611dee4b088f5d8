"""How a file system of elsewhere is mounted: the command, and what the kernel's table says before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cumulet.lib import mounts
from cumulet.lib.mounts import Mount, NotMounted

LINE = "36 35 0:32 / {point} rw,nosuid shared:1 - nfs4 {source} rw,vers=4.2\n"


class Kernel:
    """Remembers what was asked of it, and then has it mounted."""

    def __init__(self, table: str = "", mounts_it: bool = True) -> None:
        self.text = table
        self.asked: list[Sequence[str]] = []
        self._mounts_it = mounts_it

    async def run(self, arguments: Sequence[str]) -> None:
        self.asked.append(arguments)
        if self._mounts_it:
            self.text += LINE.format(point=arguments[-1], source=arguments[-2])

    def table(self) -> str:
        return self.text


async def test_it_is_mounted_once_with_the_options_of_its_operator(tmp_path: Path) -> None:
    share, kernel = Mount("nfs", "192.0.2.5:/export", "vers=4.2,hard", tmp_path / "share"), Kernel()
    for _ in range(2):
        await mounts.ensure(share, kernel.run, kernel.table)
    where = str(tmp_path / "share")
    options = "nosuid,nodev,noexec,vers=4.2,hard"
    assert kernel.asked == [["mount", "-t", "nfs", "-o", options, "--", "192.0.2.5:/export", where]]
    assert (tmp_path / "share").is_dir()


async def test_a_slash_at_the_end_makes_no_other_share(tmp_path: Path) -> None:
    kernel = Kernel(LINE.format(point=tmp_path, source="192.0.2.5:/export"))
    await mounts.ensure(Mount("nfs", "192.0.2.5:/export/", "", tmp_path), kernel.run, kernel.table)
    assert not kernel.asked


async def test_something_else_that_is_mounted_there_is_not_taken_for_it(tmp_path: Path) -> None:
    kernel = Kernel(LINE.format(point=tmp_path, source="192.0.2.6:/other"))
    with pytest.raises(NotMounted, match=r"192\.0\.2\.6:/other, not 192\.0\.2\.5"):
        await mounts.ensure(Mount("nfs", "192.0.2.5:/export", "", tmp_path), kernel.run, kernel.table)


async def test_a_mount_that_does_nothing_is_noticed(tmp_path: Path) -> None:
    kernel = Kernel(mounts_it=False)
    with pytest.raises(NotMounted, match="nothing"):
        await mounts.ensure(Mount("nfs", "192.0.2.5:/export", "", tmp_path), kernel.run, kernel.table)


def test_the_table_of_the_kernel_is_read() -> None:
    table = "garbage\n" + LINE.format(point=r"/srv/a\040b", source=r"host:/x\134y") + "1 2 3 -\n"
    assert mounts.entries(table) == [("/srv/a b", "host:/x\\y")]


@pytest.mark.root
async def test_the_kernel_mounts(tmp_path: Path) -> None:
    """By a file system that needs no server: what is asked of the kernel is the same."""
    memory = Mount("tmpfs", "a-share", "size=1m", tmp_path / "share")
    for _ in range(2):
        await mounts.ensure(memory)
    (memory.point / "file").write_text("kept")
    found = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(memory.point) in line]
    assert len(found) == 1
    assert all(option in found[0] for option in ("nosuid", "nodev", "noexec"))
    await mounts.run_mount(["umount", str(memory.point)])
    with pytest.raises(NotMounted, match="could not be mounted"):
        await mounts.ensure(Mount("nothing-of-this-name", "a-share", "", tmp_path / "share"))
