"""The ways of importing an image that are offered here."""

from __future__ import annotations

IMPORT_METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")
