"""Assertions that this cloud takes, and those that it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cumulet.lib.clock import SECOND, iso_seconds
from cumulet.services.identity.federation.saml.issuing import Signer
from cumulet.services.identity.federation.saml.signing import placeholder, signed
from cumulet.services.identity.federation.saml.xml import NAMES, name
from tests.api.identity.cloud import Client
from tests.api.identity.saml.meeting import AUTH, BASE, DATA, ISSUER, PAOS, WEBSSO, Meeting, key_pair, set_in

pytestmark = pytest.mark.db


async def test_an_assertion_opens_the_cloud(meeting: Meeting) -> None:
    answer = await meeting.come(meeting.message())
    token = answer.json()["token"]
    assert (token["user"]["name"], token["methods"]) == ("j", ["saml2"])
    assert token["user"]["OS-FEDERATION"]["groups"] == [{"id": meeting.group}]
    await Client(meeting.cloud, answer.headers["x-subject-token"]).get("/auth/projects")


async def test_a_signature_over_the_whole_response(meeting: Meeting) -> None:
    whole = etree.fromstring(meeting.message())
    assertion = whole.find("saml:Assertion", NAMES)
    assertion.remove(assertion.find("ds:Signature", NAMES))
    whole.insert(1, placeholder())
    await meeting.come(etree.tostring(signed(whole, meeting.signer.key, meeting.signer.certificate)))


async def test_assertions_that_are_not_for_this_cloud_or_not_for_now(
    meeting: Meeting, caplog: pytest.LogCaptureFixture
) -> None:
    now = meeting.clock.now()
    past, future = iso_seconds(now - 120 * SECOND), iso_seconds(now + 120 * SECOND)

    def of_another(assertion: Any) -> None:
        assertion.find("saml:Issuer", NAMES).text = "https://other.test"

    def unconfirmed(assertion: Any) -> None:
        subject = assertion.find("saml:Subject", NAMES)
        subject.remove(subject.find("saml:SubjectConfirmation", NAMES))

    def without_an_end(assertion: Any) -> None:
        del assertion.find(DATA, NAMES).attrib["NotOnOrAfter"]

    wrong = [
        (meeting.message(audience="https://other.test"), "another audience"),
        (meeting.message(audience=""), "does not say for whom"),
        (meeting.message(recipient="https://other.test/acs"), "meant for another address"),
        (meeting.message(recipient=BASE + WEBSSO), "meant for another address"),
        (meeting.message(set_in(DATA, "Recipient", "https://other.test/acs")), "it is for another address"),
        (meeting.message(of_another), "another provider's"),
        (meeting.message(unconfirmed), "there is none"),
        (meeting.message(without_an_end), "NotOnOrAfter is no instant"),
        (meeting.message(set_in(DATA, "InResponseTo", "_something")), "answers another question"),
        (meeting.message(set_in(DATA, "NotBefore", past)), "begins later"),
        (meeting.message(set_in(DATA, "NotOnOrAfter", past)), "it has ended"),
        (meeting.message(set_in(DATA, "NotOnOrAfter", "soon")), "NotOnOrAfter is no instant"),
        (meeting.message(set_in("saml:Conditions", "NotOnOrAfter", past)), "the assertion has ended"),
        (meeting.message(set_in("saml:Conditions", "NotBefore", future)), "does not hold yet"),
        (meeting.message(set_in("saml:Subject/saml:SubjectConfirmation", "Method", "urn:other")), "whoever brings it"),
        (meeting.message(after=set_in("samlp:Status/samlp:StatusCode", "Value", "urn:denied")), "the provider says"),
        (meeting.message(after=lambda whole: whole.set("Destination", "https://other.test")), "another address"),
    ]
    for message, reason in wrong:
        caplog.clear()
        await meeting.come(message, 401)
        assert reason in caplog.text
    assert (await meeting.admin.get("/users?idp_id=acme"))["users"] == []


async def test_an_assertion_is_good_for_once(meeting: Meeting) -> None:
    message = meeting.message()
    await meeting.come(message)
    await meeting.come(message, 401)
    meeting.clock.jump(299)
    await meeting.come(message, 401)
    meeting.clock.jump(120)
    await meeting.come(message, 401)
    await meeting.come(meeting.message())


async def test_signatures_that_prove_nothing(meeting: Meeting) -> None:
    stranger = Signer(ISSUER, *key_pair(meeting.clock.now()))
    genuine = meeting.message()
    unsigned = etree.fromstring(genuine)
    assertion = unsigned.find("saml:Assertion", NAMES)
    assertion.remove(assertion.find("ds:Signature", NAMES))
    for message in (
        meeting.message(signer=stranger),
        etree.tostring(unsigned),
        genuine.replace(b">j<", b">admin<"),
        genuine.replace(b">staff<", b">staff<!-- -->s<"),
        genuine.replace(b"rsa-sha256", b"hmac-sha256"),
        genuine[:-10],
        b"",
        b"<x/>",
        b"{}",
    ):
        await meeting.come(message, 401)
    await meeting.come(genuine)


async def test_a_genuine_signature_in_a_message_that_says_something_else(meeting: Meeting) -> None:
    """Signature wrapping: what was signed is still there, but what is read would be something else."""

    def evil(whole: Any) -> tuple[Any, Any]:
        genuine = whole.find("saml:Assertion", NAMES)
        forged = etree.fromstring(etree.tostring(genuine))
        forged.find(".//saml:AttributeValue", NAMES).text = "admin"
        return genuine, forged

    def beside(whole: Any) -> None:
        _, forged = evil(whole)
        forged.remove(forged.find("ds:Signature", NAMES))
        forged.set("ID", "_forged")
        whole.insert(0, forged)

    def within_the_signature(whole: Any) -> None:
        genuine, forged = evil(whole)
        forged.set("ID", "_forged")
        whole.replace(genuine, forged)
        keeper = etree.SubElement(forged.find("ds:Signature", NAMES), name("ds:Object"))
        keeper.append(genuine)

    def within_an_extension(whole: Any) -> None:
        genuine, forged = evil(whole)
        forged.set("ID", "_forged")
        whole.replace(genuine, forged)
        etree.SubElement(whole, name("samlp:Extensions")).append(genuine)

    def with_the_same_id(whole: Any) -> None:
        genuine, forged = evil(whole)
        whole.replace(genuine, forged)
        etree.SubElement(whole, name("samlp:Extensions")).append(genuine)

    def around(whole: Any) -> None:
        genuine, forged = evil(whole)
        forged.remove(forged.find("ds:Signature", NAMES))
        forged.set("ID", "_forged")
        whole.replace(genuine, forged)
        forged.find("saml:Subject", NAMES).append(genuine)

    for attack in (beside, within_the_signature, within_an_extension, with_the_same_id, around):
        answer = await meeting.cloud.nobody()("POST", AUTH, content=meeting.message(after=attack), headers=PAOS)
        assert answer.status_code == 401, attack.__name__
    assert (await meeting.admin.get("/users?idp_id=acme"))["users"] == []


async def test_xml_that_reaches_for_more(meeting: Meeting, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("j")
    body = meeting.message().decode()
    bombs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    for entities in (f'<!ENTITY x SYSTEM "file://{secret}">', f'<!ENTITY a0 "ha">{bombs}', '<!ENTITY x "j">', ""):
        hostile = f"<!DOCTYPE r [{entities}]>" + body.replace(">j<", ">&x;<" if "x " in entities else ">j<")
        await meeting.come(hostile.encode(), 401)
    await meeting.come(b"<?xml-stylesheet href='x'?>" + body.replace(">j<", "><?php j?><").encode(), 401)
    await meeting.come(b"<a>" * 100_000, 401)
    too_long = await meeting.cloud.nobody()("POST", AUTH, content=b" " * 600_000, headers=PAOS)
    assert too_long.status_code == 413


async def test_a_comment_does_not_shorten_a_name(meeting: Meeting) -> None:
    message = meeting.message(user="admin.evil.test").replace(b"admin.evil", b"admin<!-- -->.evil")
    token = (await meeting.come(message)).json()["token"]
    assert token["user"]["name"] == "admin.evil.test"
