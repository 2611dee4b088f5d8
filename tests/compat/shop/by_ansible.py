"""Made and removed with Ansible's collection `openstack.cloud`."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.compat.shop.plan import FOLDER

CHANGED = re.compile(r"localhost\s*:.* changed=(\d+) .*failed=0")


class ByAnsible:
    def __init__(self, programs: Path, environment: Mapping[str, str]) -> None:
        """`programs`: where `ansible-playbook` and its Python lie."""
        self._programs, self._environment = programs, environment

    def make(self, image: str, public_key: str) -> None:
        """Twice: what is there is found, and left as it is."""
        given = {"state": "present", "image": image, "public_key": public_key}
        assert self._play(given) > 0, "nothing was made"
        assert self._play(given) == 0, "the second time something was changed"

    def remove(self) -> None:
        assert self._play({"state": "absent"}) > 0, "nothing was removed"

    def _play(self, given: dict[str, str]) -> int:
        """How many tasks changed something."""
        command = [self._programs / "ansible-playbook", "--inventory", "localhost,", "--connection", "local"]
        for name, value in {**given, "ansible_python_interpreter": str(self._programs / "python")}.items():
            command += ["--extra-vars", f"{name}='{value}'"]
        with tempfile.TemporaryDirectory() as home:
            quiet = {"HOME": home, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False", "PYTHONPATH": ""}
            environment = {**self._environment, **quiet}
            command.append(FOLDER / "playbook.yaml")
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        told = CHANGED.search(done.stdout)
        assert done.returncode == 0, f"the playbook failed with {done.returncode}"
        assert told is not None, "the playbook does not tell what it did"
        return int(told[1])
