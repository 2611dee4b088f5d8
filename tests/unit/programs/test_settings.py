"""Flags before the environment before the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.programs.settings import SettingsError, load


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
    [("prot = 1", "prot"), ('port = "many"', "port"), ("port = ", "cumulet.toml")],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "cumulet.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=said):
        load({}, {}, file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load({}, {}, tmp_path / "absent.toml")
