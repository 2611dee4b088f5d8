"""Logs: one line each, with the request's id where there is one."""

from __future__ import annotations

import logging
import sys


def log_to_stderr(level: str) -> None:
    """Everything goes to standard error; whoever starts the process decides where that leads."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)
