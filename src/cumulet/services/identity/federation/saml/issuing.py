"""Assertions about users of this cloud, for other clouds that believe them; and the metadata by which those know it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cumulet.lib.clock import SECOND, iso_seconds
from cumulet.services.identity.federation.saml.keys import bare
from cumulet.services.identity.federation.saml.signing import placeholder, signed
from cumulet.services.identity.federation.saml.xml import ENTITY, Element, make, name

PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"  # noqa: S105 - how somebody has authenticated
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
NEXT = "http://schemas.xmlsoap.org/soap/actor/next"
SOAP_ACTOR, MUST = name("S:actor"), name("S:mustUnderstand")


@dataclass(frozen=True)
class Signer:
    """Who signs."""

    entity_id: str
    key: bytes
    certificate: str


def new_id() -> str:
    return f"_{secrets.token_hex(16)}"


def response(
    signer: Signer, recipient: str, subject: str, attributes: Mapping[str, Sequence[str]], now: int, seconds: int
) -> Element:
    """A response with one signed assertion."""
    begins, ends = iso_seconds(now), iso_seconds(now + seconds * SECOND)
    data = make("saml:SubjectConfirmationData", NotOnOrAfter=ends, Recipient=recipient)
    context = make(
        "saml:AuthnContext",
        make("saml:AuthnContextClassRef", text=PASSWORD),
        make("saml:AuthenticatingAuthority", text=signer.entity_id),
    )
    assertion = make(
        "saml:Assertion",
        _issuer(signer),
        placeholder(),
        make(
            "saml:Subject",
            make("saml:NameID", text=subject),
            make("saml:SubjectConfirmation", data, Method=BEARER),
        ),
        make("saml:Conditions", NotBefore=begins, NotOnOrAfter=ends),
        make("saml:AuthnStatement", context, AuthnInstant=begins, SessionIndex=new_id(), SessionNotOnOrAfter=ends),
        make("saml:AttributeStatement", *(_attribute(label, values) for label, values in attributes.items() if values)),
        ID=new_id(),
        IssueInstant=begins,
        Version="2.0",
    )
    status = make("samlp:Status", make("samlp:StatusCode", Value=SUCCESS))
    head = {"Destination": recipient, "ID": new_id(), "IssueInstant": begins, "Version": "2.0"}
    return make("samlp:Response", _issuer(signer), status, signed(assertion, signer.key, signer.certificate), **head)


def in_envelope(message: Element, relay_state: str) -> Element:
    """A response as a client carries it to another cloud."""
    state = make("ecp:RelayState", text=relay_state)
    state.set(SOAP_ACTOR, NEXT)
    state.set(MUST, "1")
    return make("S:Envelope", make("S:Header", state), make("S:Body", message))


def metadata(
    signer: Signer, sso_url: str, organization: str, email: str, consumers: Sequence[tuple[str, str]]
) -> Element:
    """What others must know: the certificate, and the (binding, address) pairs at which assertions are taken."""
    protocol = {"protocolSupportEnumeration": "urn:oasis:names:tc:SAML:2.0:protocol"}

    def key() -> Element:
        certificate = make("ds:X509Certificate", text=bare(signer.certificate))
        return make("md:KeyDescriptor", make("ds:KeyInfo", make("ds:X509Data", certificate)), use="signing")

    sso = make("md:SingleSignOnService", Binding="urn:oasis:names:tc:SAML:2.0:bindings:URI", Location=sso_url)
    roles = [make("md:IDPSSODescriptor", key(), sso, **protocol)]
    if consumers:
        taken = [
            make("md:AssertionConsumerService", Binding=binding, Location=address, index=str(place))
            for place, (binding, address) in enumerate(consumers)
        ]
        roles.append(make("md:SPSSODescriptor", *taken, WantAssertionsSigned="true", **protocol))
    about = make(
        "md:Organization",
        *(_in_english(f"md:Organization{word}", organization) for word in ("Name", "DisplayName")),
        _in_english("md:OrganizationURL", sso_url),
    )
    contact = [make("md:ContactPerson", make("md:EmailAddress", text=email), contactType="technical")] if email else []
    return make("md:EntityDescriptor", *roles, about, *contact, entityID=signer.entity_id)


def _issuer(signer: Signer) -> Element:
    return make("saml:Issuer", text=signer.entity_id, Format=ENTITY)


def _attribute(label: str, values: Sequence[str]) -> Element:
    return make(
        "saml:Attribute", *(make("saml:AttributeValue", text=value) for value in values), Name=label, NameFormat=URI
    )


def _in_english(tag: str, text: str) -> Element:
    element = make(tag, text=text)
    element.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    return element
