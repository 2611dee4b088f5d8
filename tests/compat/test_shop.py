"""An application in three tiers: each client makes all of it and removes it without a trace."""

from __future__ import annotations

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from tests.compat.shop.by_command import ByCommand
from tests.compat.shop.by_sdk import BySdk
from tests.compat.shop.life import lives
from tests.support.running_cloud import RunningCloud


def connection(cloud: RunningCloud) -> Connection:
    files = OpenStackConfig(config_files=[str(cloud.clouds_yaml)], load_envvars=False)
    return Connection(config=files.get_one(cloud="cumulet"))


def test_with_the_sdk(cloud: RunningCloud) -> None:
    client = connection(cloud)

    lives(BySdk(client), client)


def test_with_the_command(cloud: RunningCloud) -> None:
    lives(ByCommand(cloud.environment()), connection(cloud))
