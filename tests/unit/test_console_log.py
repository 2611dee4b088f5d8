"""A console's log is read from its end and kept short; what a guest could put in its place is not touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cumulet.drivers.hypervisor.qemu.console import NotOurs, newest, trim


def test_there_may_be_no_log_yet(tmp_path: Path) -> None:
    assert newest(tmp_path / "log", 100) == b""
    trim(tmp_path / "log", 100)
    assert not (tmp_path / "log").exists()


def test_the_newest_part_is_kept_and_writing_goes_on_behind_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as guest:
        guest.write(b"old" * 100)
        guest.write(b"new" * 10)
        trim(log, 300)
        assert log.stat().st_size == 330
        trim(log, 30)
        guest.write(b"!")
    assert log.read_bytes() == b"new" * 10 + b"!"
    assert newest(log, 4) == b"new!"
    assert newest(log, 1000) == b"new" * 10 + b"!"


def test_what_is_not_a_plain_file_of_one_name_is_left_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 100)
    link, fifo, second = tmp_path / "link", tmp_path / "fifo", tmp_path / "second"
    link.symlink_to(secret)
    os.mkfifo(fifo)
    os.link(secret, second)
    for path in (link, fifo, second):
        with pytest.raises(NotOurs):
            newest(path, 10)
        with pytest.raises(NotOurs):
            trim(path, 10)
    assert secret.stat().st_size == 600
