"""The questions that this cloud sends to identity providers, by browsers and by clients that understand more."""

from __future__ import annotations

import base64
import hashlib
import zlib
from urllib.parse import urlencode

from cumulet.lib.clock import iso_seconds
from cumulet.services.identity.federation.saml.issuing import MUST, NEXT, SOAP_ACTOR
from cumulet.services.identity.federation.saml.xml import BY_PAOS, ECP, ENTITY, POST, Element, make, write

PAOS_TYPE = "application/vnd.paos+xml"


def id_for(state: str) -> str:
    """The id of the question that travels with this state: an answer to it names the id."""
    return "_" + hashlib.sha256(state.encode()).hexdigest()


def question(
    entity_id: str, consumer: str, state: str, now: int, *, binding: str = POST, destination: str = ""
) -> Element:
    """Who are you? The answer is to be brought to `consumer`."""
    attributes = {
        "ID": id_for(state),
        "Version": "2.0",
        "IssueInstant": iso_seconds(now),
        "AssertionConsumerServiceURL": consumer,
        "ProtocolBinding": binding,
    }
    if destination:
        attributes["Destination"] = destination
    issuer = make("saml:Issuer", text=entity_id, Format=ENTITY)
    return make("samlp:AuthnRequest", issuer, make("samlp:NameIDPolicy", AllowCreate="true"), **attributes)


def redirection(sso_url: str, message: Element, state: str) -> str:
    """Where a browser carries a question to."""
    packer = zlib.compressobj(wbits=-15)
    packed = base64.b64encode(packer.compress(write(message)) + packer.flush()).decode()
    query = urlencode({"SAMLRequest": packed, "RelayState": state})
    return f"{sso_url}{'&' if '?' in sso_url else '?'}{query}"


def envelope(entity_id: str, consumer: str, state: str, now: int) -> bytes:
    """A question for a client that carries it to the provider itself."""
    header = make(
        "S:Header",
        _for_client(make("paos:Request", responseConsumerURL=consumer, service=ECP)),
        _for_client(make("ecp:Request", make("saml:Issuer", text=entity_id), IsPassive="0")),
        _for_client(make("ecp:RelayState", text=state)),
    )
    return write(make("S:Envelope", header, make("S:Body", question(entity_id, consumer, state, now, binding=BY_PAOS))))


def _for_client(element: Element) -> Element:
    element.set(MUST, "1")
    element.set(SOAP_ACTOR, NEXT)
    return element
