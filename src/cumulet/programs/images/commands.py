"""The steps of a build: other programs, run one after the other to their ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

HOST_PACKAGES = ("apt", "dpkg", "e2fsprogs", "qemu-utils", "util-linux")
"""Must be installed before an image can be built. All else is fetched for the build, and not installed."""


class BuildFailed(Exception):
    """An image could not be built; the message says at which step and what to do."""


def run(argv: Sequence[str], *, timeout: float, cwd: Path | None = None, path: str = "") -> str:
    """Run one step; what it printed. Programs in the folders of `path` are found first. Raises `BuildFailed`."""
    found = f"{path}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
    environment = {**os.environ, "PATH": found, "LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1"}
    try:
        ended = subprocess.run(
            argv, cwd=cwd, env=environment, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        needed = ", ".join(HOST_PACKAGES)
        raise BuildFailed(f"{argv[0]} is not installed; building an image needs the packages {needed}") from error
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{argv[0]} did not end within {timeout:g} s") from error
    if ended.returncode != 0:
        raise BuildFailed(f"{' '.join(argv[:3])} failed: {ended.stderr.strip()[-1000:]}")
    return ended.stdout
