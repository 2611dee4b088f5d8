"""Stored forms of passwords: scrypt for new ones; those of the reference service are read too. Pure, slow by intent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

import bcrypt

BLOCK, PARALLEL = 8, 1
_SCRYPT = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)\Z")
_PBKDF2 = re.compile(r"\$pbkdf2-sha512\$(\d{1,8})\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)\Z")
_BCRYPT_SHA256 = re.compile(r"\$bcrypt-sha256\$v=2,t=2b,r=(\d{1,2})\$([A-Za-z0-9./]{22})\$([A-Za-z0-9./]{31})\Z")
_MOST_LOG_N = 20


def hash_password(password: str, log_n: int) -> str:
    """A new stored form, with a salt of its own."""
    salt = secrets.token_bytes(16)
    derived = _scrypt(password, salt, log_n, BLOCK, PARALLEL, 32)
    return f"$scrypt$ln={log_n},r={BLOCK},p={PARALLEL}${_text(salt)}${_text(derived)}"


def is_password(password: str, stored: str) -> bool:
    """Does the stored form come from this password? Forms that are not known never do."""
    if form := _SCRYPT.match(stored):
        log_n, block, parallel = int(form[1]), int(form[2]), int(form[3])
        if not 1 <= log_n <= _MOST_LOG_N:
            return False
        wanted = _bytes(form[5])
        return hmac.compare_digest(_scrypt(password, _bytes(form[4]), log_n, block, parallel, len(wanted)), wanted)
    if form := _PBKDF2.match(stored):
        wanted = _bytes(form[3].replace(".", "+"))
        salt = _bytes(form[2].replace(".", "+"))
        return hmac.compare_digest(hashlib.pbkdf2_hmac("sha512", password.encode(), salt, int(form[1])), wanted)
    if form := _BCRYPT_SHA256.match(stored):
        key = base64.b64encode(hmac.digest(form[2].encode(), password.encode(), "sha256"))
        return bcrypt.checkpw(key, f"$2b${int(form[1]):02d}${form[2]}{form[3]}".encode())
    if stored.startswith(("$2a$", "$2b$", "$2y$")):
        # This form never took more than 72 bytes; the rest was ignored when it was made.
        return bcrypt.checkpw(password.encode()[:72], stored.encode())
    return False


def _scrypt(password: str, salt: bytes, log_n: int, block: int, parallel: int, length: int) -> bytes:
    memory = 129 * block * (1 << log_n) + (1 << 20)
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << log_n, r=block, p=parallel, dklen=length, maxmem=memory)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
