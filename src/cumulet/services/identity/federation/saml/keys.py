"""The key that this cloud signs assertions with, and the certificate that other clouds know it by."""

from __future__ import annotations

import contextlib
import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cumulet.lib.clock import SECOND
from cumulet.lib.ids import new_hex
from cumulet.services.identity.federation.settings import SamlSettings

YEARS = 10


def key_pair(settings: SamlSettings, state: Path, now: int) -> tuple[bytes, str]:
    """The key and the certificate, both as PEM: the operator's own, or those that were made here once."""
    if settings.key and settings.certificate:
        return Path(settings.key).read_bytes(), Path(settings.certificate).read_text()
    file = state / "saml" / "signing.pem"
    if not file.exists():
        _make(file, now)
    both = file.read_text()
    head, begin, certificate = both.partition("-----BEGIN CERTIFICATE-----")
    return head.encode(), begin + certificate


def _make(file: Path, now: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cumulet")])
    begins = datetime.datetime.fromtimestamp(now // SECOND, datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=365 * YEARS))
        .sign(key, hashes.SHA256())
    )
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = file.with_name(f".{new_hex()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        output.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        output.write(certificate.public_bytes(Encoding.PEM))
        output.flush()
        os.fsync(output.fileno())
    # Written aside and linked: of two processes that make one at once, both use the one that was there first.
    with contextlib.suppress(FileExistsError):
        os.link(aside, file)
    aside.unlink()


def bare(certificate: str) -> str:
    """A certificate as metadata holds it."""
    return "".join(line for line in certificate.splitlines() if not line.startswith("-----"))
