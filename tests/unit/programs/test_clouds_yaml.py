"""Our clouds beside the user's others."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cumulet.programs.laptop.clouds_yaml import entries, merge

OURS = entries("http://127.0.0.1:5000", "RegionOne", "secret")


def test_others_and_all_that_is_said_beside_them_stay(tmp_path: Path) -> None:
    place = tmp_path / "clouds.yaml"
    others = {"clouds": {"work": {"auth": {"password": "theirs"}}}, "cache": {"expiration": 5}}
    place.write_text(yaml.safe_dump(others))

    merge(place, OURS)

    found = yaml.safe_load(place.read_text())
    assert found == {**others, "clouds": {**others["clouds"], **OURS}}
    assert found["clouds"]["cumulet"]["auth"]["password"] == "secret"
    assert place.stat().st_mode & 0o777 == 0o600


def test_what_says_the_same_already_is_not_written(tmp_path: Path) -> None:
    place = tmp_path / "openstack" / "clouds.yaml"
    merge(place, OURS)
    before = place.stat()

    merge(place, OURS)

    assert place.stat().st_ino == before.st_ino
    assert [file.name for file in place.parent.iterdir()] == ["clouds.yaml"]


@pytest.mark.parametrize("text", ["clouds: [", "clouds: []", "- a\n- list\n"])
def test_what_cannot_be_understood_is_left_alone(tmp_path: Path, text: str) -> None:
    place = tmp_path / "clouds.yaml"
    place.write_text(text)

    with pytest.raises(ValueError, match="mend or move it"):
        merge(place, OURS)

    assert place.read_text() == text
