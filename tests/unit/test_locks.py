"""The lock files say what pyproject.toml asks for. If not: script/lock."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
RUN, DEVELOPMENT, INSTALLER = (ROOT / f"requirements{kind}.lock" for kind in ("", "-dev", "-uv"))
TEMPEST = ROOT / "src/cumulet/programs/verify/requirements.lock"


def pins(lock: Path) -> dict[str, Version]:
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in lines}


def asked(*, development: bool) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    texts = [*project["build-system"]["requires"], *project["project"]["dependencies"], *extras["client"]]
    if development:
        texts += [text for extra in extras.values() for text in extra] + project["dependency-groups"]["dev"]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize(("lock", "development"), [(RUN, False), (DEVELOPMENT, True)])
def test_a_lock_pins_what_is_asked_for(lock: Path, development: bool) -> None:
    pinned = pins(lock)
    for requirement in asked(development=development):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{lock.name} lacks {requirement}: run script/lock"
        assert version in requirement.specifier, f"{lock.name} has {version} for {requirement}: run script/lock"


def test_tests_run_over_the_versions_that_users_get() -> None:
    assert pins(RUN).items() <= pins(DEVELOPMENT).items()


@pytest.mark.parametrize("lock", [RUN, DEVELOPMENT, INSTALLER, TEMPEST], ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_pin_is_hashed_and_no_lock_names_an_index(lock: Path) -> None:
    text = lock.read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]

    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "index-url" not in text
