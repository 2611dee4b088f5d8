"""A real SAML identity provider, pysaml2 with xmlsec1, in a process of its own.

It knows one person. Browsers are let in by redirection, clients that understand ECP by name and password.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.started import answers, started

PERSON, PASSWORD = "emmy", "invariant"
WHAT_IS_KNOWN = {"uid": [PERSON], "mail": ["emmy@x.test"], "eduPersonAffiliation": ["faculty", "staff"]}


@contextmanager
def saml_server(entity: str, folder: Path, metadata: bytes) -> Iterator[None]:
    """The provider, from the moment on when it answers; in the folder are its key and certificate."""
    (folder / "cloud.xml").write_bytes(metadata)
    with started("the provider", [sys.executable, "-m", __name__, entity, folder], folder / "campus.log") as provider:
        provider.wait_until(lambda: answers(f"{entity}/ready"))
        yield


def serve(entity: str, folder: Path) -> None:
    """Run it here, for ever."""
    from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP
    from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
    from saml2.config import IdPConfig
    from saml2.server import Server
    from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

    config: dict[str, Any] = {
        "entityid": entity,
        "xmlsec_binary": "/usr/bin/xmlsec1",
        "key_file": str(folder / "signing.key"),
        "cert_file": str(folder / "signing.pem"),
        "metadata": {"local": [str(folder / "cloud.xml")]},
        "service": {
            "idp": {
                "endpoints": {
                    "single_sign_on_service": [
                        (f"{entity}/sso", BINDING_HTTP_REDIRECT),
                        (f"{entity}/ecp", BINDING_SOAP),
                    ]
                },
                "policy": {"default": {"attribute_restrictions": None}},
            }
        },
    }
    provider = Server(config=IdPConfig().load(config))
    signing = {"sign_alg": SIG_RSA_SHA256, "digest_alg": DIGEST_SHA256, "sign_assertion": True}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.endswith("/ready"):
                return self._say(200, b"", "text/plain")
            given = dict(parse_qsl(parts.query))
            asked = provider.parse_authn_request(given["SAMLRequest"], BINDING_HTTP_REDIRECT).message
            page = provider.apply_binding(
                BINDING_HTTP_POST,
                self._response(asked),
                asked.assertion_consumer_service_url,
                given["RelayState"],
                response=True,
            )
            return self._say(200, page["data"].encode(), "text/html")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name, _, password = (
                base64.b64decode(self.headers["Authorization"].partition(" ")[2]).decode().partition(":")
            )
            if (name, password) != (PERSON, PASSWORD):
                return self._say(401, b"", "text/plain")
            asked = provider.parse_authn_request(body.decode(), BINDING_SOAP).message
            return self._say(200, _in_envelope(self._response(asked), asked.assertion_consumer_service_url), "text/xml")

        def _response(self, asked: Any) -> str:
            return str(
                provider.create_authn_response(WHAT_IS_KNOWN, **self._about(asked), sign_response=False, **signing)
            )

        def _about(self, asked: Any) -> dict[str, Any]:
            return {
                "in_response_to": asked.id,
                "destination": asked.assertion_consumer_service_url,
                "sp_entity_id": asked.issuer.text,
                "userid": PERSON,
                "authn": {"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": entity},
            }

        def _say(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    parts = urlsplit(entity)
    HTTPServer((parts.hostname or "", parts.port or 0), Handler).serve_forever()


def _in_envelope(response: str, consumer: str) -> bytes:
    """An answer as a client takes it. The library's own way to wrap one cannot wrap what is signed."""
    bare = re.sub(r"^<\?xml[^>]*\?>", "", response)
    return (
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header>'
        '<ecp:Response xmlns:ecp="urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp" S:mustUnderstand="1" '
        f'S:actor="http://schemas.xmlsoap.org/soap/actor/next" AssertionConsumerServiceURL="{consumer}"/>'
        f"</S:Header><S:Body>{bare}</S:Body></S:Envelope>"
    ).encode()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
