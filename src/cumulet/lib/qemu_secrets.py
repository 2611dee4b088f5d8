"""Secrets for programs of QEMU, which are given so that neither a list of arguments nor a file alone tells them.

The arguments hold each secret encrypted with a key that is made for this one start; the key is in a file, which is
removed when the program has read it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_MASTER = "master"
_BLOCK_BITS = 128


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """What is said on the command line, and what is to be in the file."""

    objects: tuple[dict[str, object], ...]
    """The properties of QEMU's objects of type `secret`, in their order."""
    key: bytes


def sealed(secrets: Mapping[str, str], file: Path) -> SealedSecrets:
    """Secrets by the ids under which the program will know them. `file` is where its key will be."""
    key = os.urandom(32)
    master: dict[str, object] = {"id": _MASTER, "format": "base64", "file": file}
    return SealedSecrets((master, *(_one(id, secret, key) for id, secret in secrets.items())), base64.b64encode(key))


def _one(id: str, secret: str, key: bytes) -> dict[str, object]:
    vector = os.urandom(_BLOCK_BITS // 8)
    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(secret.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    data = encryptor.update(padded) + encryptor.finalize()
    return {
        "id": id,
        "keyid": _MASTER,
        "format": "base64",
        "iv": base64.b64encode(vector).decode(),
        "data": base64.b64encode(data).decode(),
    }


def keyval(words: Mapping[str, object]) -> str:
    """An object of type `secret` as QEMU's `type,key=value,…`, where a comma inside a value is written twice."""
    return ",".join(["secret", *(f"{name}={str(value).replace(',', ',,')}" for name, value in words.items())])
