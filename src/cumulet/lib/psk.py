"""Pre-shared keys for the programs of QEMU at either end of a connection: they prove it to each other and encrypt."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from cumulet.lib.process import User

_NAME = "cumulet"
_SECRET = re.compile(r"[0-9a-f]{32,128}")


def is_secret(secret: str) -> bool:
    return bool(_SECRET.fullmatch(secret))


def write(folder: Path, secret: str, user: User | None) -> None:
    """Make the folder, with the key as QEMU looks for it, for nobody's eyes but this user's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    file = folder / "keys.psk"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(f"{_NAME}:{secret}\n")
    if user is not None:
        for path in (folder, file):
            os.chown(path, user.uid, user.gid)


def words(id: str, folder: Path, *, server: bool) -> dict[str, object]:
    """QEMU's object for the key in the folder. A client reads it at once; a server whenever somebody comes."""
    role = {"endpoint": "server"} if server else {"endpoint": "client", "username": _NAME}
    return {"qom-type": "tls-creds-psk", "id": id, "dir": str(folder), **role}
