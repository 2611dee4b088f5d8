"""The keys of signed tokens: pairs, of which the private half signs and the public half lets anybody check.

`private/private.pem` signs. `private/staged.pem` will after the next turn: every process can check what it signs before
any process signs with it. Every file in `public/` lets what its private half signed pass, so an operator may lay down
there the public keys of other processes. A key that signs no more gets a name that tells, in seconds since 1970, until
when its tokens are of any use (`….until-N.pem`), and is then forgotten.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cumulet.lib.clock import SECOND, Clock
from cumulet.services.identity.tokens.keys import LOOKS, changed_at, write_key

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

CURVE = "P-256"
KIND = f"elliptic-curve key on {CURVE} in PEM, which ES256 needs"
SIGNS, STAGED = "private.pem", "staged.pem"
_UNTIL = re.compile(r".+\.until-([0-9]{1,15})\.pem\Z")

log = logging.getLogger("cumulet.tokens")


class NoSuchKey(ValueError):
    """A file holds no key of the kind that is needed; the text names it."""


class SigningKeys:
    """The key pairs in a directory, read again when it has changed. A retired one is useful for so many seconds."""

    def __init__(self, directory: Path, clock: Clock, useful_seconds: int) -> None:
        self.directory = directory
        self._private, self._public = directory / "private", directory / "public"
        self._clock = clock
        self._useful_seconds = useful_seconds
        self._noticed = self._signer_seen = self._checkers_seen = 0
        self._signer: ECKey | None = None
        self._checkers: tuple[ECKey, ...] = ()

    def make(self) -> None:
        """Make what is missing of both pairs, and forget public keys whose time is over."""
        for directory in (self.directory, self._private, self._public):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (SIGNS, STAGED):
            self._ensure_pair(self._private / name)
        self._forget()

    def rotate(self) -> None:
        """Sign with the staged key, stage a new one, keep the public half of the one before while its tokens live."""
        # Killed in between, it is mended by the next `make`: the key that still signs has lost its date then.
        retired = read_private(self._private / SIGNS)
        until = self._clock.now() // SECOND + self._useful_seconds
        for file in self._files_of(retired):
            os.replace(file, self._public / f"{_name(retired)}.until-{until}.pem")
        os.replace(self._private / STAGED, self._private / SIGNS)
        self.make()

    def turned(self) -> bool:
        """Have public keys come or gone since the last call?"""
        before, self._noticed = self._noticed, changed_at(self._public)
        return self._noticed != before

    @property
    def primary(self) -> str:
        """The name of the key that signs."""
        return _name(read_private(self._private / SIGNS))

    @property
    def signer(self) -> ECKey:
        """The key that signs."""
        changed = changed_at(self._private)
        if self._signer is None or changed != self._signer_seen:
            self._signer = read_private(self._private / SIGNS)
            self._signer_seen = changed
        return self._signer

    @property
    def checkers(self) -> tuple[ECKey, ...]:
        """The public keys, any of which a signature may belong to; none while there are no keys."""
        changed = changed_at(self._public)
        if changed != self._checkers_seen:
            self._checkers = tuple(self._published().values())
            self._checkers_seen = changed
        return self._checkers

    def _ensure_pair(self, private: Path) -> None:
        from joserfc.jwk import ECKey

        if not private.exists():
            write_key(private, ECKey.generate_key(CURVE).as_pem(private=True))
        key = read_private(private)
        files = self._files_of(key)
        if not files:
            write_key(self._public / f"{_name(key)}.pem", key.as_pem(private=False))
        elif all(_UNTIL.match(file.name) for file in files):
            os.replace(files[0], self._public / f"{_name(key)}.pem")

    def _files_of(self, key: ECKey) -> list[Path]:
        """The files with the public half of a key."""
        name = _name(key)
        return [file for file, public in self._published().items() if _name(public) == name]

    def _forget(self) -> None:
        now = self._clock.now() // SECOND
        for file in self._public.glob("*.pem"):
            found = _UNTIL.match(file.name)
            if found and int(found[1]) < now:
                file.unlink(missing_ok=True)

    def _published(self) -> dict[Path, ECKey]:
        """The public keys by their files. What is no such key lets nothing pass, and is told to the operator."""
        for _ in range(LOOKS):
            found = {}
            # Another process may turn the keys just now: what the list names is renamed or forgotten.
            with contextlib.suppress(FileNotFoundError):
                for file in sorted(self._public.glob("[!.]*.pem")):
                    try:
                        found[file] = read_key(file)
                    except NoSuchKey as error:
                        log.warning("%s", error)
                return found
        raise FileNotFoundError(f"the keys in {self._public} change faster than they can be read")


def read_key(file: Path) -> ECKey:
    """The key, private or public, in a file. Raises NoSuchKey, FileNotFoundError."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey

    try:
        key = ECKey.import_key(file.read_bytes())
        if key.curve_name == CURVE:
            return key
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NoSuchKey(f"{file} cannot be read: {error.strerror}") from error
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoSuchKey(f"{file} holds no {KIND}") from error
    raise NoSuchKey(f"{file} holds no {KIND}")


def read_private(file: Path) -> ECKey:
    """The private key in a file. Raises NoSuchKey, FileNotFoundError."""
    key = read_key(file)
    if not key.is_private:
        raise NoSuchKey(f"{file} holds the public half of a key; the private one belongs there")
    return key


def check_private_keys(directory: Path) -> None:
    """Raise NoSuchKey for the first private key that is there and of no use."""
    for name in (SIGNS, STAGED):
        with contextlib.suppress(FileNotFoundError):
            read_private(directory / "private" / name)


def _name(key: ECKey) -> str:
    """The same name for both halves of a pair."""
    return hashlib.sha256(key.as_der(private=False)).hexdigest()[:16]
