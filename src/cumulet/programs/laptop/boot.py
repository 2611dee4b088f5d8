"""Starting at every boot, with systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from cumulet.programs.settings import Settings

_UNIT = """[Unit]
Description=Cumulet cloud in {state}
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=none
ExecStart={python} -m cumulet up --state {state}
ExecStop={python} -m cumulet down --state {state}

[Install]
WantedBy={target}
"""


def install(settings: Settings) -> None:
    """Write and enable a unit: the system's for root, else the user's own."""
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").exists():
        raise click.ClickException(
            "systemd does not run here, so nothing starts at boot; 'cumulet up' resumes what ran before"
        )
    root = os.geteuid() == 0
    place = Path("/etc/systemd/system") if root else Path.home() / ".config" / "systemd" / "user"
    place.mkdir(parents=True, exist_ok=True)
    target = "multi-user.target" if root else "default.target"
    (place / "cumulet.service").write_text(_UNIT.format(state=settings.state, python=sys.executable, target=target))
    scope = [] if root else ["--user"]
    for arguments in (["daemon-reload"], ["enable", "cumulet.service"]):
        subprocess.run(["systemctl", *scope, *arguments], check=True, timeout=60)
