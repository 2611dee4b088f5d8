"""Signatures of XML: made with this cloud's key, verified with the certificates that the operator trusts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from cumulet.services.identity.federation.saml.xml import ASSERTION, BadXml, Element, make, read, write

METHODS = frozenset(
    method
    for method in SignatureMethod
    if method.name.startswith(("RSA_SHA", "ECDSA_SHA", "SHA"))
    and not method.name.startswith(("RSA_SHA1", "ECDSA_SHA1", "SHA1"))
)
"""By a key pair, and with a digest that is not broken."""
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_PLACES = ("./", f"./{{{ASSERTION}}}Assertion/")
"""Where a signature may stand: directly in the message, or directly in its assertion."""


def signed(element: Element, key: bytes, certificate: str) -> Element:
    """An element with a signature where its placeholder stood."""
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(element, key=key, cert=certificate, reference_uri=element.get("ID"), id_attribute="ID")


def what_is_signed(message: Element, certificates: Sequence[str], instant: int) -> Element:
    """The part of a message that one of the certificates signed, and nothing else. Raises BadXml.

    Whatever is not in what comes back was not said by the signer: a genuine signature may have been moved into a
    message that says something else.
    """
    raw, moment = write(message), datetime.fromtimestamp(instant, UTC)
    reasons: list[str] = []
    for place in _PLACES:
        config = SignatureConfiguration(
            location=place, signature_methods=METHODS, digest_algorithms=DIGESTS, verification_time=moment
        )
        for certificate in certificates:
            try:
                result = XMLVerifier().verify(raw, x509_cert=certificate, id_attribute="ID", expect_config=config)
            except (SignXMLException, ValueError, KeyError, TypeError) as error:
                reasons.append(f"{type(error).__name__}: {error}")
                continue
            if isinstance(result, list) or result.signed_xml is None:
                raise BadXml("the signature is over several things")
            return read(result.signed_data)
    raise BadXml(f"no trusted signature: {'; '.join(dict.fromkeys(reasons))}")


def placeholder() -> Element:
    """Where a signature shall stand. It bears the prefix that is signed with it."""
    return make("ds:Signature", Id="placeholder")
