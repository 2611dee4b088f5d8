"""The tiny guest image, built once per recipe and kept between runs.

`python -m tests.support.guest_image` builds it ahead: where the tests run there may be no way to the distribution.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from cumulet.programs.images import tiny

_CACHE = Path.home() / ".cache" / "cumulet-tests"


def tiny_image() -> Path:
    """The file; built first when this recipe has not been built on this machine. Several runs may ask at once."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    image = _CACHE / f"tiny-{tiny.recipe_digest()}.qcow2"
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            tiny.build(image)
    return image


if __name__ == "__main__":
    print(tiny_image())
