"""Stopping what a node left running when it ended: machines and networks."""

from __future__ import annotations

import os
import subprocess
import sys

from cumulet.programs.laptop import rootless
from cumulet.programs.settings import Settings


def halt(settings: Settings) -> None:
    """Stop all that this host's node left running. The wish that it runs stays: the next start makes it so again."""
    inside: tuple[str, ...] = ()
    if settings.mode == "rootless":
        if rootless.holder(settings.state) is None:
            return
        inside = rootless.prefix(settings)
    environment = {**os.environ, "CUMULET_STATE_DIR": str(settings.state)}
    subprocess.run([*inside, sys.executable, "-m", "cumulet", "node", "--halt"], check=True, env=environment)
    if inside:
        rootless.end(settings.state)
