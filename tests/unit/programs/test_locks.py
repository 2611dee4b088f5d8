"""One process at a time, found by the lock it holds."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cumulet.programs.locks import AlreadyRunning, hold, holder, turn
from tests.support.patience import HANG_SECONDS


def test_who_holds_it_is_known_and_a_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "serve.lock"
    assert holder(path) is None

    with hold(path):
        assert holder(path) == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())):
            hold(path)

    assert holder(path) is None


def test_who_only_looks_keeps_nobody_from_holding_it(tmp_path: Path) -> None:
    path = tmp_path / "serve.lock"
    path.touch()
    looking = path.open("r+")
    fcntl.flock(looking, fcntl.LOCK_EX)
    with hold(path, pause=looking.close):
        assert holder(path) == os.getpid()


def test_who_is_about_to_say_who_he_is_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "serve.lock"
    with path.open("a+") as beginning:
        fcntl.flock(beginning, fcntl.LOCK_EX)
        assert holder(path, pause=lambda: None) is None
        assert holder(path, pause=lambda: print(4711, file=beginning, flush=True)) == 4711


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "serve.lock"
    program = "import sys, pathlib; from cumulet.programs.locks import hold; l = hold(pathlib.Path(sys.argv[1])); "
    process = subprocess.Popen(
        [sys.executable, "-c", program + "print('held', flush=True); sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert holder(path) == process.pid

    process.kill()
    process.communicate(timeout=HANG_SECONDS)

    assert holder(path) is None
    hold(path).close()


def test_turns_are_taken_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "tool.lock"
    program = "import sys, pathlib; from cumulet.programs.locks import turn\nwith turn(pathlib.Path(sys.argv[1])): "
    with turn(path):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                program + "print(pathlib.Path(sys.argv[2]).read_text())",
                str(path),
                str(tmp_path / "it"),
            ],
            stdout=subprocess.PIPE,
        )
        (tmp_path / "it").write_text("made by the first")

    printed, _ = process.communicate(timeout=HANG_SECONDS)
    assert printed == b"made by the first\n"
