"""How long a test waits for what comes at once on any machine. It ends what hangs; nothing is measured by it."""

from __future__ import annotations

HANG_SECONDS = 60.0
"""Less than what `script/test` lets pass before it tells where a test hangs, so that its own words come first."""
