"""Plays `three_tiers.yaml` beside a running cloud: made, made again without a change, removed without a trace."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import openstack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BOOK = Path(__file__).with_name("three_tiers.yaml")
CHANGED = re.compile(r"localhost\s*:.* changed=(\d+) .*failed=0")


def main() -> None:
    ansible = Path(sys.argv[1]) / "bin"
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "disk.raw"
        image.write_bytes(os.urandom(1 << 16))
        before = things()
        assert play(ansible, Path(folder), image, "present") > 0, "nothing was made"
        assert play(ansible, Path(folder), image, "present") == 0, "the second time something was changed"
        assert play(ansible, Path(folder), image, "absent") > 0, "nothing was removed"
        left = things() - before
        assert not left, f"left behind: {sorted(left)}"
    print("Made, made again without a change, and removed without a trace.")


def play(ansible: Path, folder: Path, image: Path, state: str) -> int:
    """How many tasks changed something."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    key = folder / "key.pub"
    if not key.exists():
        key.write_text(public)
    given = {
        "state": state,
        "image_file": str(image),
        "public_key": key.read_text(),
        "ansible_python_interpreter": str(ansible / "python"),
    }
    command = [ansible / "ansible-playbook", "--inventory", "localhost,", "--connection", "local"]
    for name, value in given.items():
        command += ["--extra-vars", f"{name}='{value}'"]
    quiet = {"HOME": str(folder), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False", "PYTHONPATH": ""}
    done = subprocess.run([*command, BOOK], env={**os.environ, **quiet}, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    told = CHANGED.search(done.stdout)
    assert done.returncode == 0, f"the playbook failed with {done.returncode}"
    assert told is not None, "the playbook does not tell what it did"
    return int(told[1])


def things() -> set[str]:
    """What an administrator sees of what the playbook makes, and of what that brings along."""
    cloud: Any = openstack.connect(os.environ["OS_CLOUD"])
    lists = (
        cloud.compute.servers(all_projects=True), cloud.compute.flavors(is_public=None), cloud.compute.keypairs(),
        cloud.block_storage.volumes(all_projects=True), cloud.image.images(), cloud.network.networks(),
        cloud.network.subnets(), cloud.network.ports(), cloud.network.routers(), cloud.network.ips(),
        cloud.network.security_groups(),
    )  # fmt: skip
    return {f"{type(thing).__name__} {thing.id} {thing.name}" for found in lists for thing in found}


if __name__ == "__main__":
    main()
