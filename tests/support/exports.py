"""Whoever comes to a volume that is offered over the network."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from cumulet.lib import psk


def found_at(address: str, secret: str, *doings: str, seconds: int = 30) -> bool:
    """Whether he is let in with this secret, and all that he does there (in qemu-io's words) succeeds."""
    place, _, target = address.rpartition("/")
    host, _, port = place.rpartition(":")
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        psk.write(keys, secret, None)
        way = f"driver=nbd,server.type=inet,server.host={host},server.port={port},export={target},tls-creds=tls"
        argv = ["qemu-io", "--object", f"tls-creds-psk,id=tls,dir={keys},endpoint=client,username=cumulet"]
        return _done([*argv, "--image-opts", f"{way},reconnect-delay={seconds}"], doings, seconds)


def found_behind(socket: Path, *doings: str, seconds: int = 30) -> bool:
    """The same at the socket of a relay."""
    way = f"driver=nbd,server.type=unix,server.path={socket},export=volume,open-timeout={seconds}"
    return _done(["qemu-io", "--image-opts", way], doings, seconds)


def _done(argv: list[str], doings: tuple[str, ...], seconds: int) -> bool:
    commands = [word for doing in doings for word in ("-c", doing)]
    ended = subprocess.run([*argv, *commands], timeout=2 * seconds, capture_output=True, text=True)
    return ended.returncode == 0 and "failed" not in ended.stdout
