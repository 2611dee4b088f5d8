"""Flags before the environment before the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.programs.laptop import processes
from cumulet.programs.settings import Settings, SettingsError, load


def test_flags_before_the_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cumulet.toml"
    file.write_text('port = 1\nregion = "file"\nhost = "127.0.0.9"\n')

    settings = load({"port": 3, "region": None}, {"CUMULET_PORT": "2", "CUMULET_REGION": "environment"}, file)

    assert (settings.port, settings.region, settings.host) == (3, "environment", "127.0.0.9")
    assert settings.url == "http://127.0.0.9:3"


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cumulet.toml"
    file.write_text("uplink = true\n")

    assert load({}, {"CUMULET_CONFIG": str(file)}).uplink is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "prot"),
        ('port = "many"', "port"),
        ("port = ", "cumulet.toml"),
        ("[network.quotas]\nroters = 5", "roters = 5"),
        ("[network.quotas]\nrouter = -2", "router = -2"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "cumulet.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=said):
        load({}, {}, file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load({}, {}, tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": 99999}, "port: 99999"),
        ({"port": 0}, "port: 0"),
        ({"mode": "fun"}, "mode: 'fun'"),
        ({"floating_range": "1.2.3.400/24"}, "floating_range: '1.2.3.400/24'"),
        ({"fixed_range": "10.0.0.0/31"}, "fixed_range: 10.0.0.0/31 is too small"),
        ({"floating_range": "10.0.0.0/16"}, "overlap"),
        ({"database": "foo://x"}, "database: .*'foo'"),
        ({"database": "/tmp/x.db"}, "database: "),
        ({"bus": "http://x"}, "bus: .*'http'"),
        ({"wires": {"public": "eth1 up"}}, "wires: 'public' = 'eth1 up'"),
        ({"wires": {"a/b": "eth1"}}, "wires: 'a/b'"),
        ({"wires": {"a": "eth1", "b": "eth1"}}, "wires: 'eth1' can lead to one"),
    ],
)
def test_what_would_only_fail_later_is_refused_by_its_name(flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(flags, {})


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"database": "foo://me:secret@host/x"}, {})
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for file in (tmp_path, binary):
        with pytest.raises(SettingsError, match=str(file)):
            load({}, {}, file)


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "below"):
        with pytest.raises(SettingsError, match="--state"):
            processes.keep(Settings(state_dir=str(place)))
