"""A server that speaks as S3 does, on loopback: that of moto. It keeps everything in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

from cumulet.drivers.image_store.s3_signing import Keys

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1")
BUCKET = "pictures"


def client(url: str) -> Any:
    """Somebody else's client, to look at what ours did."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=KEYS.region,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
    )


@contextmanager
def s3_server() -> Iterator[str]:
    """Its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def begin_anew(url: str) -> None:
    """One bucket and nothing in it."""
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    client(url).create_bucket(Bucket=BUCKET)
