"""A server that speaks as S3 does, on loopback: that of moto. It keeps everything in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

from cumulet.drivers.image_store.s3_signing import Keys

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1")
BUCKET = "pictures"


@contextmanager
def s3_server() -> Iterator[str]:
    """Its URL; it has one bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()  # its memory is that of the process
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name=KEYS.region,
            aws_access_key_id=KEYS.access_key,
            aws_secret_access_key=KEYS.secret_key,
        )
        client.create_bucket(Bucket=BUCKET)
        yield url
    finally:
        server.stop()
