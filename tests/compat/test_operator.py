"""The commands of an operator: doctor, policy, image, bootstrap, keys."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cumulet.programs.images.upload import UploadFailed, upload
from cumulet.programs.settings import Settings
from tests.support.laptop import Laptop, log_in
from tests.support.patience import HANG_SECONDS
from tests.support.real_cloud import eventually
from tests.support.running_cloud import RunningCloud
from tests.support.servers import free_port


def settings_of(cloud: RunningCloud) -> Settings:
    parts = urlsplit(cloud.url)
    return Settings(host=str(parts.hostname), port=int(parts.port or 0), admin_password=cloud.password)


def test_an_image_file_is_brought_into_the_running_cloud(cloud: RunningCloud, tmp_path: Path) -> None:
    file = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", file, "1M"], check=True, timeout=HANG_SECONDS)
    told: list[tuple[int, int]] = []

    image_id = upload(settings_of(cloud), "carried", file, lambda done, total: told.append((done, total)))

    session = log_in(cloud.url, cloud.password)
    image = session.ask("GET", f"/image/v2/images/{image_id}")
    assert (image["name"], image["status"], image["visibility"]) == ("carried", "active", "public")
    assert told[-1] == (file.stat().st_size, file.stat().st_size)
    session.ask("DELETE", f"/image/v2/images/{image_id}")
    assert session.ask("GET", f"/image/v2/images/{image_id}") is None


def test_a_file_that_is_no_image_leaves_nothing(cloud: RunningCloud, tmp_path: Path) -> None:
    file = tmp_path / "text.qcow2"
    file.write_text("no image\n" * 1000)

    with pytest.raises(UploadFailed):
        upload(settings_of(cloud), "no image", file)

    found = log_in(cloud.url, cloud.password).ask("GET", "/image/v2/images")["images"]
    assert "no image" not in [image["name"] for image in found]


def test_the_doctor_names_what_stops_the_chosen_mode(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "cloud", free_port())
    policy = laptop.state / "policy" / "network" / "policy.yaml"
    policy.parent.mkdir(parents=True)

    policy.write_text('"create_network": "role:admin"\n')
    assert "network: 1 of" in laptop.cumulet("policy", "check")
    assert '"create_network": "role:admin"' in laptop.cumulet("policy", "list", "--changed", "network")

    policy.write_text('"create_network": "role:admin or"\n')
    assert "policy.yaml:1" in laptop.cumulet("policy", "check", code=1)
    printed = laptop.cumulet("doctor", "--mode", "simulate", code=1)
    assert "MISSING  Policy files" in printed
    assert "remedy: mend the file" in printed


def contents(state: Path) -> set[str]:
    """Every row, but the count of the looks at tokens."""
    with contextlib.closing(sqlite3.connect(state / "cumulet.db")) as database:
        return {line for line in database.iterdump() if "identity_epochs" not in line}


def test_a_cloud_is_made_before_it_is_served_and_made_again_without_a_change(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "cloud", free_port())
    assert "there is no cloud" in laptop.cumulet("keys", "rotate", code=2)
    assert "is ready to be served" in laptop.cumulet("bootstrap")
    made = contents(laptop.state)
    assert sum('INSERT INTO "identity_users"' in line for line in made) == 2
    assert "is ready to be served" in laptop.cumulet("bootstrap")
    assert contents(laptop.state) == made


def test_keys_turn_below_a_running_cloud(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "cloud", free_port())
    laptop.up("--simulate", "--port", str(laptop.port), "--password", "correct horse")
    try:
        assert "has done this" in laptop.cumulet("bootstrap")
        before = log_in(laptop.url, "correct horse")
        secret = {"type": "cert", "blob": "a secret"}
        made = before.ask("POST", "/v3/credentials", {"credential": secret})["credential"]["id"]
        printed = laptop.cumulet("keys", "rotate")
        assert "fernet-keys: key 2" in printed
        assert "credential-keys: key 2" in printed
        assert "1 secrets sealed" in printed
        after = log_in(laptop.url, "correct horse")
        for session in (before, after):
            assert session.ask("GET", f"/v3/credentials/{made}")["credential"]["blob"] == "a secret"
        laptop.cumulet("keys", "rotate", "tokens")
        assert after.ask("GET", "/v3/projects")["projects"]

        def refused() -> bool:
            try:
                before.ask("GET", "/v3/projects")
            except AssertionError as error:
                return "401" in str(error)
            return False

        eventually("a token ends with its key", refused)
    finally:
        laptop.cumulet("down")
