"""The whole cloud as an ordinary user has it: no root anywhere, and a server to log in to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.guest_image import tiny_image
from tests.support.real_cloud import Cloud, eventually
from tests.support.rootless_cloud import UID, OrdinaryUser, ordinary_user
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cml-", dir="/tmp"))
    folder.chmod(0o755)
    shutil.copyfile(tiny_image(), folder / "tiny.qcow2")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def user(home: Path) -> Iterator[OrdinaryUser]:
    with ordinary_user(home) as somebody:
        yield somebody


def test_an_ordinary_user_logs_in_to_his_server(user: OrdinaryUser) -> None:
    cloud = Cloud(user.host, user.home)
    os.chown(cloud.key, int(UID), int(UID))
    state = ("--state", str(cloud.state))
    user.cumulet("up", "--rootless", *state, "--image", str(user.home / "tiny.qcow2"))
    tenant = Tenant(cloud, cloud.client(), "mine")
    tenant.reachable(tenant.server("vm1"))
    log_in = ("ssh", *state, "-i", str(cloud.key), "vm1", "--", "hostname")
    eventually("a login", lambda: user.cumulet(*log_in, check=False).strip() == "vm1")
    tenant.leave()
    user.cumulet("down", *state)
    assert {argv[0].rpartition("/")[2] for argv in user.host.processes().values()} <= {"sh", "sleep"}


def test_what_is_forbidden_is_named_with_its_remedy(user: OrdinaryUser) -> None:
    user.host.run("umount", "/dev/net/tun")
    user.host.run("chmod", "600", "/run/tun")
    user.host.run("mount", "--bind", "/run/tun", "/dev/net/tun")
    refused = user.cumulet("up", "--rootless", "--state", str(user.home / "state"), check=False)
    assert "chmod 666 /dev/net/tun" in refused
