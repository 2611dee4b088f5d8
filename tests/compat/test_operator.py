"""The commands of an operator: doctor, policy, image."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cumulet.programs.images.upload import UploadFailed, upload
from cumulet.programs.settings import Settings
from tests.support.laptop import Laptop, log_in
from tests.support.running_cloud import RunningCloud
from tests.support.servers import free_port


def settings_of(cloud: RunningCloud) -> Settings:
    parts = urlsplit(cloud.url)
    return Settings(host=str(parts.hostname), port=int(parts.port or 0), admin_password=cloud.password)


def test_an_image_file_is_brought_into_the_running_cloud(cloud: RunningCloud, tmp_path: Path) -> None:
    file = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", file, "1M"], check=True, timeout=30)
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
