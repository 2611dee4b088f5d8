"""One answer of a metadata service, inetd style: a request on stdin, its page on stdout.

QEMU's user network runs it for each connection of a guest to 169.254.169.254; its argument is the folder of pages.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> None:
    requested = sys.stdin.buffer.readline().split()[1].decode().strip("/")
    while sys.stdin.buffer.readline().strip():
        pass
    # A directory and a file cannot share a name, so the page of a directory is called `index` inside it.
    page = folder / requested
    page = page / "index" if page.is_dir() else page
    body = page.read_bytes() if page.is_file() else b""
    status = "200 OK" if page.is_file() else "404 Not Found"
    sys.stdout.buffer.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


main(Path(sys.argv[1]))
