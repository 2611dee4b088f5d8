"""Questions and answers on their way between the cloud and a provider, carried by a client or a browser."""

from __future__ import annotations

import base64
import re
import zlib
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from lxml import etree

from cumulet.services.identity.federation.saml.xml import NAMES, make
from tests.api.identity.cloud import Client
from tests.api.identity.saml.meeting import AUTH, BASE, DASHBOARD, DATA, FORM, OWN_NAME, SSO, WEBSSO, Meeting, set_in

pytestmark = pytest.mark.db


async def test_a_client_carries_the_question_and_the_answer(meeting: Meeting) -> None:
    headers = {"accept": "application/json, application/vnd.paos+xml"}
    asked = await meeting.cloud.nobody()("GET", AUTH, headers=headers)
    assert (asked.status_code, asked.headers["content-type"]) == (200, "application/vnd.paos+xml")
    envelope = etree.fromstring(asked.content)
    assert envelope.find("S:Header/paos:Request", NAMES).get("responseConsumerURL") == BASE + AUTH
    question = envelope.find("S:Body/samlp:AuthnRequest", NAMES)
    assert question.find("saml:Issuer", NAMES).text == OWN_NAME
    state = envelope.find("S:Header/ecp:RelayState", NAMES)

    def answer(to: str) -> bytes:
        message = etree.fromstring(meeting.message(set_in(DATA, "InResponseTo", to)))
        text: bytes = etree.tostring(
            make("S:Envelope", make("S:Header", etree.fromstring(etree.tostring(state))), make("S:Body", message))
        )
        return text

    await meeting.come(answer("_another"), 401)
    await meeting.come(answer(question.get("ID")))
    late = answer(question.get("ID"))
    meeting.clock.jump(601)
    await meeting.come(late, 401)


async def test_a_browser_carries_the_question_and_the_answer(meeting: Meeting) -> None:
    nobody = meeting.cloud.nobody()
    left = await nobody("GET", f"/auth/OS-FEDERATION/websso/saml2?origin={DASHBOARD}")
    assert left.status_code == 302
    assert "SameSite=None" in left.headers["set-cookie"]
    there = urlsplit(left.headers["location"])
    given = dict(parse_qsl(there.query))
    question = etree.fromstring(zlib.decompress(base64.b64decode(given["SAMLRequest"]), -15))
    assert question.get("AssertionConsumerServiceURL") == BASE + WEBSSO
    assert question.get("Destination") == f"{there.scheme}://{there.netloc}{there.path}" == SSO
    cookie = {"cookie": left.headers["set-cookie"].partition(";")[0]}

    def answer(to: str, state: str = given["RelayState"], recipient: str = BASE + WEBSSO) -> bytes:
        message = meeting.message(
            set_in(DATA, "InResponseTo", to) if to else lambda assertion: None, recipient=recipient
        )
        return urlencode({"SAMLResponse": base64.b64encode(message).decode(), "RelayState": state}).encode()

    for wrong, headers in (
        (answer(question.get("ID")), {}),
        (answer("_another"), cookie),
        (answer(""), cookie),
        (answer(question.get("ID"), "another"), cookie),
        (answer(question.get("ID"), recipient=BASE + AUTH), cookie),
        (b"SAMLResponse=%25&RelayState=" + given["RelayState"].encode(), cookie),
        (b"", cookie),
    ):
        assert (await nobody("POST", WEBSSO, content=wrong, headers=FORM | headers)).status_code == 401
    page = await nobody("POST", WEBSSO, content=answer(question.get("ID")), headers=FORM | cookie)
    assert page.status_code == 200, page.text
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token
    await Client(meeting.cloud, token[1]).get("/auth/projects")


async def test_a_form_of_more_fields_than_anybody_has_to_say(meeting: Meeting) -> None:
    answer = await meeting.cloud.nobody()("POST", WEBSSO, content="&".join(["x=1"] * 1000), headers=FORM)
    assert (answer.status_code, "fields" in answer.text) == (400, True)
