"""XML as SAML has it: read without what makes XML dangerous, written by names."""

from __future__ import annotations

from typing import Any

from lxml import etree

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ECP = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"
PAOS = "urn:liberty:paos:2003-08"
NAMES = {
    "saml": ASSERTION,
    "samlp": PROTOCOL,
    "md": METADATA,
    "ds": SIGNATURE,
    "S": SOAP,
    "ecp": ECP,
    "paos": PAOS,
}
REDIRECT, POST, BY_PAOS = (
    f"urn:oasis:names:tc:SAML:2.0:bindings:{word}" for word in ("HTTP-Redirect", "HTTP-POST", "PAOS")
)
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
LONGEST = 256 * 1024

Element = Any
"""An element of lxml, which has no types."""


class BadXml(ValueError):
    """It cannot be read, or holds what has no place in a message."""


def read(raw: bytes) -> Element:
    """The root of a message. Entities, document types and processing instructions are refused, comments left out."""
    if len(raw) > LONGEST:
        raise BadXml("the message is too long")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadXml(f"the message is not XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise BadXml("the message has a document type")
    for element in root.iter():
        if not isinstance(element.tag, str):
            raise BadXml("the message holds an entity or a processing instruction")
    return root


def name(text: str) -> str:
    """`saml:Issuer` as lxml writes it."""
    prefix, _, local = text.partition(":")
    return f"{{{NAMES[prefix]}}}{local}"


def make(tag: str, *children: Element, text: str = "", **attributes: str) -> Element:
    """An element with attributes, a text or children."""
    element = etree.Element(name(tag), attributes, nsmap={prefix: NAMES[prefix] for prefix in [tag.partition(":")[0]]})
    element.text = text or None
    element.extend(children)
    return element


def write(element: Element) -> bytes:
    text: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return text


def one(element: Element, path: str) -> Element:
    """The only element at a path. Raises BadXml for none or several."""
    found = element.findall(path, NAMES)
    if len(found) != 1:
        raise BadXml(f"there must be one {path.rpartition('/')[2]}, and there are {len(found)}")
    return found[0]


def text_of(element: Element) -> str:
    return "".join(element.itertext()).strip()
