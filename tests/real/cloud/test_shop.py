"""An application in three tiers at work: a visitor comes through the proxy, and the volume's content comes back."""

from __future__ import annotations

import pytest
from openstack.connection import Connection

from tests.compat.shop.by_sdk import BySdk
from tests.compat.shop.life import lives
from tests.support.real_cloud import Cloud

pytestmark = pytest.mark.root


def test_all_tiers_answer(cloud: Cloud, client: Connection) -> None:
    lives(BySdk(client), client, visit=True)
