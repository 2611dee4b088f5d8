"""One client makes the application beside a running cloud and removes it without a trace. With --visit it is asked,
through its floating IP, whether all tiers do their work; guests that boot are needed for that."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import openstack

from tests.compat.shop.by_ansible import ByAnsible
from tests.compat.shop.by_command import ByCommand
from tests.compat.shop.by_sdk import BySdk
from tests.compat.shop.life import Maker, lives


def main() -> None:
    parser = argparse.ArgumentParser(prog="shop", description=__doc__)
    parser.add_argument("client", choices=["ansible", "openstack", "sdk"])
    parser.add_argument("--ansible", type=Path, default=Path(), help="a virtual environment with Ansible")
    parser.add_argument("--visit", action="store_true", help="ask the application through its floating IP")
    given = parser.parse_args()
    cloud = openstack.connect(os.environ["OS_CLOUD"])
    makers: dict[str, Maker] = {
        "ansible": ByAnsible(given.ansible / "bin", os.environ),
        "openstack": ByCommand(os.environ),
        "sdk": BySdk(cloud),
    }
    print(lives(makers[given.client], cloud, visit=given.visit))


if __name__ == "__main__":
    main()
