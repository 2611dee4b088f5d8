"""The cloud's own secrets: made once, kept in the state directory for their owner's eyes only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet

from cumulet.programs.settings import Settings


def kept_secret(file: Path, length: int = 24) -> str:
    """The secret in a file; made if the file is not there yet, by whichever process comes first."""
    draft = _draft(file, secrets.token_urlsafe(length))
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_text().strip()


def keep_secret(file: Path, secret: str) -> None:
    """Keep what somebody else made: all of it is in the file, or the file is as it was."""
    os.replace(_draft(file, secret), file)


def _draft(file: Path, secret: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(secret)
        out.flush()
        os.fsync(descriptor)
    return draft


def admin_password(settings: Settings) -> str:
    """What the operator set, or what was made at the first start."""
    return settings.admin_password or kept_secret(settings.state / "admin-password", 12)


def node_secret(settings: Settings) -> str:
    """The secret of this host's own node."""
    return kept_secret(settings.state / "node-secret")


def volume_seal(settings: Settings) -> Fernet:
    """What the keys of encrypted volumes are kept under. Without this file no such volume can be opened again."""
    # Of 32 bytes, which are written in 43 characters and the sign that fills them up.
    return Fernet(kept_secret(settings.state / "volume-seal", 32) + "=")
