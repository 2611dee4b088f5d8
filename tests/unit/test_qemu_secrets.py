"""What programs of QEMU are told, and how little of it can be seen."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from cumulet.lib.qemu_secrets import keyval, sealed

FILE = Path("/run/with,comma/key")


def opened(words: Any, key: bytes) -> str:
    decryptor = Cipher(algorithms.AES(base64.b64decode(key)), modes.CBC(base64.b64decode(words["iv"]))).decryptor()
    padded = decryptor.update(base64.b64decode(words["data"])) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


def test_the_file_opens_what_the_arguments_hold() -> None:
    secrets = {"source": "s" * 64, "target": "short"}
    given = sealed(secrets, FILE)
    master, *others = given.objects
    assert master == {"id": "master", "format": "base64", "file": FILE}
    assert {words["id"]: opened(words, given.key) for words in others} == secrets
    assert all(words["keyid"] == "master" for words in others)


def test_neither_tells_alone() -> None:
    given = sealed({"a": "topsecret", "b": "topsecret"}, FILE)
    arguments = " ".join(map(keyval, given.objects))
    assert "topsecret" not in arguments + given.key.decode()
    assert given.key.decode() not in arguments
    assert given.objects[1]["data"] != given.objects[2]["data"]
    assert sealed({"a": "topsecret"}, FILE).key != given.key


def test_the_words_of_the_command_line() -> None:
    assert keyval({"id": "master", "file": FILE}) == "secret,id=master,file=/run/with,,comma/key"
