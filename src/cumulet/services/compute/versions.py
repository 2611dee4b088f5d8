"""The ledger of microversions: each number, and one sentence of what it changed for the nouns served here."""

from __future__ import annotations

EARLIEST = "2.1"
LATEST = "2.104"

LEDGER = {
    "2.2": "Key pairs have a type, and creating or deleting one answers 201 or 204.",
    "2.10": "An administrator may name the user whose key pairs he means.",
    "2.35": "Key pairs are listed in pages.",
    "2.92": "Compute no longer makes keys; a public key must be given, and names may hold dots and at signs.",
}
