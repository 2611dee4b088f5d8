"""The passwords that guests leave: taken once, and again after they were cleared."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.node.passwords import FilePasswords

MACHINE = "5f1c3a52-6ac7-4be1-9d5f-0d5a2f4d7a01"


def test_one_is_kept_until_it_is_cleared(tmp_path: Path) -> None:
    passwords = FilePasswords(tmp_path / "passwords")
    assert passwords.read(MACHINE) == b""
    assert passwords.write(MACHINE, b"first")
    assert not passwords.write(MACHINE, b"second")
    assert FilePasswords(tmp_path / "passwords").read(MACHINE) == b"first"

    passwords.clear(MACHINE)
    passwords.clear(MACHINE)
    assert not (tmp_path / "passwords").exists()
    assert passwords.write(MACHINE, b"second")


def test_a_name_that_is_no_machine_s_reaches_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the id of a machine"):
        FilePasswords(tmp_path).read("../../etc/shadow")
