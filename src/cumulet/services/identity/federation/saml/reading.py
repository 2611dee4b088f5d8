"""Does an assertion count here and now? Its signature, who made it, for whom, for which question, and until when.

Pure: the time and the certificates are given. That an assertion comes only once is for others to remember.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cumulet.lib.clock import SECOND, parse_iso
from cumulet.services.identity.federation.mapping import REMOTE_USER
from cumulet.services.identity.federation.saml.signing import what_is_signed
from cumulet.services.identity.federation.saml.xml import NAMES, BadXml, Element, name, one, read, text_of

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
LEEWAY = 60 * SECOND
ISSUER = "Shib-Identity-Provider"
"""The attribute in which mappings and protocols expect the name of the provider."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an assertion must say to count."""

    issuer: str
    certificates: Sequence[str]
    audience: str
    audience_required: bool
    recipients: Collection[str]
    """The addresses at which this cloud takes assertions of this provider."""
    answer_to: str
    """The id of the question; empty: it comes unasked."""
    now: int


@dataclass(frozen=True)
class Told:
    """What an assertion says."""

    id: str
    ends_at: int
    """From then on it would not be taken any more."""
    attributes: dict[str, list[str]]


def response_in(raw: bytes) -> Element:
    """The response in a message, perhaps in an envelope."""
    root = read(raw)
    if root.tag == name("S:Envelope"):
        root = one(root, "S:Body/samlp:Response")
    if root.tag != name("samlp:Response"):
        raise BadXml("the message is no response")
    return root


def told(response: Element, expected: Expected) -> Told:
    """What counts of a response. Raises BadXml with the reason why nothing does."""
    status = one(response, "samlp:Status/samlp:StatusCode").get("Value")
    if status != SUCCESS:
        raise BadXml(f"the provider says {status!r:.100}")
    if response.get("Destination", "") not in ("", *expected.recipients):
        raise BadXml("the response is meant for another address")
    if response.findall("saml:EncryptedAssertion", NAMES):
        raise BadXml("the assertion is encrypted, for which no key was agreed upon")
    one(response, "saml:Assertion")
    # From here on only what was signed is looked at.
    part = what_is_signed(response, expected.certificates, expected.now // SECOND)
    assertion = one(part, "saml:Assertion") if part.tag == name("samlp:Response") else part
    if assertion.tag != name("saml:Assertion") or assertion.get("Version") != "2.0" or not assertion.get("ID"):
        raise BadXml("what is signed is no assertion")
    if text_of(one(assertion, "saml:Issuer")) != expected.issuer:
        raise BadXml("the assertion is another provider's")
    ends_at = min(_confirmed(assertion, expected), _within(assertion, expected))
    return Told(assertion.get("ID"), ends_at + LEEWAY, _attributes(assertion, expected.issuer))


def _confirmed(assertion: Element, expected: Expected) -> int:
    """The end of the first confirmation that holds: of whoever brings it, here, as an answer to this question."""
    reasons = ["there is none"]
    for confirmation in assertion.findall("saml:Subject/saml:SubjectConfirmation", NAMES):
        data = confirmation.find("saml:SubjectConfirmationData", NAMES)
        if confirmation.get("Method") != BEARER or data is None:
            reasons.append("it is not about whoever brings it")
        elif data.get("Recipient") not in expected.recipients:
            reasons.append("it is for another address")
        elif data.get("InResponseTo", "") != expected.answer_to:
            reasons.append("it answers another question")
        elif data.get("NotBefore") is not None:
            reasons.append("it begins later, which has no place here")
        elif (ends_at := _instant(data, "NotOnOrAfter")) + LEEWAY <= expected.now:
            reasons.append("it has ended")
        else:
            return ends_at
    raise BadXml(f"nothing confirms the subject: {'; '.join(reasons)}")


def _within(assertion: Element, expected: Expected) -> int:
    """The end of the time in which the assertion holds."""
    conditions = assertion.findall("saml:Conditions", NAMES)
    if len(conditions) > 1:
        raise BadXml("there are several sets of conditions")
    restrictions = assertion.findall("saml:Conditions/saml:AudienceRestriction", NAMES)
    for restriction in restrictions:
        if expected.audience not in [text_of(audience) for audience in restriction.findall("saml:Audience", NAMES)]:
            raise BadXml("the assertion is for another audience")
    if not restrictions and expected.audience_required:
        raise BadXml("the assertion does not say for whom it is")
    ends_at = expected.now + 24 * 3600 * SECOND
    for element in conditions:
        if element.get("NotBefore") is not None and _instant(element, "NotBefore") - LEEWAY > expected.now:
            raise BadXml("the assertion does not hold yet")
        if element.get("NotOnOrAfter") is not None:
            ends_at = _instant(element, "NotOnOrAfter")
    if ends_at + LEEWAY <= expected.now:
        raise BadXml("the assertion has ended")
    return ends_at


def _instant(element: Element, attribute: str) -> int:
    try:
        return parse_iso(element.get(attribute) or "")
    except (ValueError, OverflowError) as error:
        raise BadXml(f"{attribute} is no instant") from error


def _attributes(assertion: Element, issuer: str) -> dict[str, list[str]]:
    """Each attribute under its name, its friendly name, and with `MELLON_` before; who it is, and who says so."""
    found: dict[str, list[str]] = {}
    for attribute in assertion.findall("saml:AttributeStatement/saml:Attribute", NAMES):
        values = [text_of(value) for value in attribute.findall("saml:AttributeValue", NAMES)]
        for label in {attribute.get("Name"), attribute.get("FriendlyName")} - {None, ""}:
            found.setdefault(label, []).extend(values)
            found.setdefault(f"MELLON_{label}", []).extend(values)
    subject = assertion.find("saml:Subject/saml:NameID", NAMES)
    if subject is not None and text_of(subject):
        found[REMOTE_USER] = found["MELLON_NAME_ID"] = [text_of(subject)]
    else:
        found.pop(REMOTE_USER, None)
    found[ISSUER] = found["MELLON_IDP"] = [issuer]
    return found
