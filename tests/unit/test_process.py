"""Programs are run within bounds, and processes are known by more than their number."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from cumulet.lib import process
from cumulet.lib.process import Limits, ProcessFailed, ProcessTimedOut, User, wrapped
from tests.support.patience import HANG_SECONDS


def test_conditions_become_wrappers_in_the_order_in_which_rights_are_lost() -> None:
    argv = wrapped(
        ["true"],
        limits=Limits(cpu_seconds=3, memory_bytes=1 << 30),
        user=User(1000, 1000),
        net_namespace="node-1",
        dies_with_us=True,
    )
    assert argv == [
        *("nsenter", "--net=/run/netns/node-1", "--"),
        *("prlimit", "--cpu=3", "--as=1073741824", "--core=0", "--"),
        *("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all", "--no-new-privs"),
        *("--pdeathsig=KILL", "--", "true"),
    ]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", ".x", "x" * 65, "a\n"])
def test_a_namespace_name_cannot_leave_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="network namespace"):
        wrapped(["true"], net_namespace=name)


async def test_what_went_in_comes_out() -> None:
    data = b"x" * 300_000
    done = await process.run(["cat"], input=data, timeout=HANG_SECONDS)
    assert (done.status, done.stdout, done.stderr) == (0, data, b"")


async def test_a_failure_carries_the_last_words() -> None:
    code = "import sys; sys.stderr.write('x' * 100000 + 'disk is full'); sys.exit(7)"
    with pytest.raises(ProcessFailed, match=r"status 7: x+disk is full$") as failed:
        await process.run([sys.executable, "-c", code], timeout=HANG_SECONDS)
    assert failed.value.status == 7
    assert len(str(failed.value)) < 3000


async def test_a_bad_status_may_be_an_answer() -> None:
    assert (await process.run(["false"], timeout=HANG_SECONDS, check=False)).status == 1


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ProcessFailed, match="cannot be started"):
        await process.run(["/no/such/program"], timeout=HANG_SECONDS)


async def test_a_slow_program_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    running = asyncio.ensure_future(process.run(["sh", "-c", f"sleep 60 & echo $! > {note}; wait"], timeout=2))
    with pytest.raises(ProcessTimedOut, match="within 2 s"):
        await running
    grandchild = process.identify(int(note.read_text()))
    if grandchild is not None:
        await asyncio.wait_for(process.ended(grandchild), HANG_SECONDS)


async def test_a_flood_is_cut() -> None:
    with pytest.raises(ProcessFailed, match="more than 1000 bytes"):
        await process.run(["yes"], timeout=HANG_SECONDS, output_limit=1000)


async def test_limits_hold() -> None:
    code = "x = bytearray(1 << 30)"
    with pytest.raises(ProcessFailed, match="MemoryError"):
        await process.run([sys.executable, "-c", code], timeout=HANG_SECONDS, limits=Limits(memory_bytes=256 << 20))


async def test_a_spawned_child_is_followed_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = process.spawn([sys.executable, "-c", "print('hello'); raise SystemExit(3)"], log=log)
    assert await asyncio.wait_for(process.ended(child), HANG_SECONDS) == 3
    assert log.read_text() == "hello\n"
    assert not process.is_alive(child)
    assert process.identify(child.pid) is None


async def test_descriptors_are_given_under_other_numbers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    files = [(tmp_path / name).open("w+") for name in ("a", "b")]
    for file in files:
        file.write(file.name[-1])
        file.flush()
        file.seek(0)
    code = "import os; print(os.read(3, 9), os.read(4, 9), sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    child = process.spawn([sys.executable, "-c", code], log=log, inherit={3: files[1].fileno(), 4: files[0].fileno()})
    assert await asyncio.wait_for(process.ended(child), HANG_SECONDS) == 0
    assert log.read_text() == "b'b' b'a' [0, 1, 2, 3, 4]\n"


async def test_a_process_is_found_by_what_it_was_started_with() -> None:
    argv = ["sleep", "1200.25"]
    assert process.running(argv) == []
    child = process.spawn(argv)
    try:
        assert process.running(argv) == [child]
    finally:
        await process.kill(child)
    assert process.running(argv) == []


async def test_only_the_very_process_is_meant() -> None:
    child = process.spawn(["sleep", "60"])
    another = process.Identity(pid=child.pid, started=child.started + 1, boot=child.boot)
    before_reboot = process.Identity(pid=child.pid, started=child.started, boot="another")
    try:
        assert process.is_alive(child)
        assert not process.is_alive(another)
        assert not process.is_alive(before_reboot)
        assert not process.send_signal(another, signal.SIGKILL)
        assert await asyncio.wait_for(process.ended(another), HANG_SECONDS) is None
        assert process.is_alive(child)
    finally:
        assert await process.stop(child, patience=HANG_SECONDS) == -signal.SIGTERM
    assert not process.send_signal(child, signal.SIGKILL)


async def test_a_stubborn_process_is_killed(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    os.mkfifo(deaf)
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(deaf)!r}, 'w').close(); time.sleep(60)"
    child = process.spawn([sys.executable, "-c", code])
    await asyncio.wait_for(asyncio.to_thread(deaf.read_bytes), HANG_SECONDS)
    assert await process.stop(child, patience=0.1) == -signal.SIGKILL


@pytest.mark.root
async def test_user_and_namespace_are_entered() -> None:
    name = "cumulet-test-process"
    await process.run(["ip", "netns", "add", name], timeout=HANG_SECONDS)
    try:
        inside = await process.run(["ip", "-o", "link"], timeout=HANG_SECONDS, net_namespace=name)
        assert b"eth0" not in inside.stdout
        uid = await process.run(["id", "-u"], timeout=HANG_SECONDS, net_namespace=name, user=User(4242, 4242))
        assert uid.stdout == b"4242\n"
    finally:
        await process.run(["ip", "netns", "del", name], timeout=HANG_SECONDS)
