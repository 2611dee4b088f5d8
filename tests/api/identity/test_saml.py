"""Assertions: those that this cloud makes for another one, those that it takes, and those that it does not."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import pytest_asyncio
from lxml import etree

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.lib.clock import SECOND, iso_seconds
from cumulet.services.identity.federation.saml.issuing import Signer, response
from cumulet.services.identity.federation.saml.signing import placeholder, signed
from cumulet.services.identity.federation.saml.xml import NAMES, make, name
from cumulet.services.identity.federation.settings import SamlProviderSettings
from tests.api.identity.cloud import Client, Cloud, by_token, open_cloud
from tests.api.identity.test_federation import CLOUDS, PROVIDERS, make_mapping, make_provider
from tests.support.certificates import signing_pair
from tests.support.clock import JumpingClock

pytestmark = pytest.mark.db
BASE = "https://cloud.test/identity/v3"
AUTH = f"{PROVIDERS}/acme/protocols/saml2/auth"
WEBSSO = "/auth/OS-FEDERATION/identity_providers/acme/protocols/saml2/websso"
DASHBOARD = "https://dashboard.test/auth/websso/"
ISSUER, SSO = "https://idp.test/metadata", "https://idp.test/sso"
OWN_NAME = f"{BASE}/OS-FEDERATION/saml2/idp"
PAOS = {"content-type": "application/vnd.paos+xml"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
RULES = [
    {
        "local": [{"user": {"name": "{0}"}}, {"groups": "{1}"}],
        "remote": [{"type": "openstack_user"}, {"type": "openstack_groups"}],
    }
]
Change = Callable[[Any], None]


def key_pair(now: int) -> tuple[bytes, str]:
    return signing_pair(datetime.fromtimestamp(now // SECOND, UTC))


class Meeting:
    """A cloud, and a SAML provider whose key is known to it."""

    def __init__(self, cloud: Cloud, clock: JumpingClock, signer: Signer) -> None:
        self.cloud, self.clock, self.signer = cloud, clock, signer

    async def prepare(self) -> Meeting:
        self.admin = await self.cloud.admin()
        provider = await make_provider(self.admin, "acme", enabled=True, remote_ids=[ISSUER, OWN_NAME])
        self.domain_id = provider["domain_id"]
        await make_mapping(self.admin, "m", RULES)
        await self.admin.put(f"{PROVIDERS}/acme/protocols/saml2", {"protocol": {"mapping_id": "m"}}, 201)
        group = {"group": {"name": "staff", "domain_id": self.domain_id}}
        self.group = (await self.admin.post("/groups", group))["group"]["id"]
        return self

    def message(
        self,
        change: Change = lambda assertion: None,
        *,
        audience: str = OWN_NAME,
        recipient: str = BASE + AUTH,
        signer: Signer | None = None,
        user: str = "j",
        after: Change = lambda message: None,
    ) -> bytes:
        """A response of the provider. `change` is done to the assertion before it is signed, `after` to all of it."""
        signer = signer or self.signer
        attributes = {"openstack_user": [user], "openstack_groups": ["staff"]}
        whole = response(signer, recipient, "subject", attributes, self.clock.now(), 300)
        assertion = whole.find("saml:Assertion", NAMES)
        conditions = assertion.find("saml:Conditions", NAMES)
        if audience:
            conditions.append(make("saml:AudienceRestriction", make("saml:Audience", text=audience)))
        change(assertion)
        before = assertion.find("ds:Signature", NAMES)
        assertion.replace(before, placeholder())
        whole.replace(assertion, signed(assertion, signer.key, signer.certificate))
        after(whole)
        text: bytes = etree.tostring(whole)
        return text

    async def come(self, message: bytes, status: int = 201) -> Any:
        answer = await self.cloud.nobody()("POST", AUTH, content=message, headers=PAOS)
        assert answer.status_code == status, answer.text
        return answer


@pytest_asyncio.fixture
async def meeting(database: Database, bus: MemoryBus, tmp_path: Path) -> Meeting:
    clock = JumpingClock()
    key, certificate = key_pair(clock.now())
    file = tmp_path / "acme.pem"
    file.write_text(certificate)
    given = SamlProviderSettings(entity_id=ISSUER, certificates=(str(file),), sso_url=SSO)
    settings = {"saml_providers": {"acme": given}, "trusted_dashboards": (DASHBOARD,), "base_url": "https://cloud.test"}
    cloud = await open_cloud(database, bus, tmp_path, clock=clock, **settings)
    return await Meeting(cloud, clock, Signer(ISSUER, key, certificate)).prepare()


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


def _set(path: str, attribute: str, value: str) -> Change:
    return lambda element: element.find(path, NAMES).set(attribute, value)


DATA = "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"


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
        (meeting.message(_set(DATA, "Recipient", "https://other.test/acs")), "it is for another address"),
        (meeting.message(of_another), "another provider's"),
        (meeting.message(unconfirmed), "there is none"),
        (meeting.message(without_an_end), "NotOnOrAfter is no instant"),
        (meeting.message(_set(DATA, "InResponseTo", "_something")), "answers another question"),
        (meeting.message(_set(DATA, "NotBefore", past)), "begins later"),
        (meeting.message(_set(DATA, "NotOnOrAfter", past)), "it has ended"),
        (meeting.message(_set(DATA, "NotOnOrAfter", "soon")), "NotOnOrAfter is no instant"),
        (meeting.message(_set("saml:Conditions", "NotOnOrAfter", past)), "the assertion has ended"),
        (meeting.message(_set("saml:Conditions", "NotBefore", future)), "does not hold yet"),
        (meeting.message(_set("saml:Subject/saml:SubjectConfirmation", "Method", "urn:other")), "whoever brings it"),
        (meeting.message(after=_set("samlp:Status/samlp:StatusCode", "Value", "urn:denied")), "the provider says"),
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


# ---- asked by this cloud -----------------------------------------------------------------------------------------


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
        message = etree.fromstring(meeting.message(_set(DATA, "InResponseTo", to)))
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
        message = meeting.message(_set(DATA, "InResponseTo", to) if to else lambda assertion: None, recipient=recipient)
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


# ---- made by this cloud --------------------------------------------------------------------------------------------


async def ask(client: Client, cloud: str, suffix: str = "", status: int = 200, token: str = "") -> Any:
    identity = {"methods": ["token"], "token": {"id": token or client.token}}
    body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": cloud}}}}
    answer = await client.cloud.nobody()("POST", f"/auth/OS-FEDERATION/saml2{suffix}", body)
    assert answer.status_code == status, answer.text
    return answer


async def test_what_this_cloud_says_to_another_one(meeting: Meeting) -> None:
    admin = meeting.admin
    cloud = {"auth_url": f"{BASE}{AUTH}", "sp_url": "https://b.test/ECP", "enabled": True}
    await admin.put(f"{CLOUDS}/b", {"service_provider": cloud}, 201)
    group = (await admin.post("/groups", {"group": {"name": "crew"}}))["group"]["id"]
    await admin.put(f"/groups/{group}/users/{admin.body['user']['id']}")
    answer = await ask(admin, "b")
    assert answer.headers["content-type"] == "text/xml"
    assert (answer.headers["x-sp-url"], answer.headers["x-auth-url"]) == (cloud["sp_url"], cloud["auth_url"])
    whole = etree.fromstring(answer.content)
    told = {
        attribute.get("Name"): [value.text for value in attribute.findall("saml:AttributeValue", NAMES)]
        for attribute in whole.iterfind(".//saml:Attribute", NAMES)
    }
    assert told.pop("openstack_roles")
    assert told == {
        "openstack_user": ["admin"],
        "openstack_user_domain": ["Default"],
        "openstack_project": ["admin"],
        "openstack_project_domain": ["Default"],
        "openstack_groups": ['JSON:{"name":"crew","domain":{"name":"Default"}}'],
    }
    enveloped = etree.fromstring((await ask(admin, "b", "/ecp")).content)
    assert enveloped.find("S:Header/ecp:RelayState", NAMES).text.startswith("ss:mem:")
    assert enveloped.find("S:Body/samlp:Response/saml:Assertion/ds:Signature", NAMES) is not None
    await ask(admin, "missing", status=404)
    await ask(admin, "b", status=401, token="x" * 60)
    unscoped = await meeting.cloud.login("admin", scope="unscoped")
    await ask(unscoped, "b", status=403)
    await admin.patch(f"{CLOUDS}/b", {"service_provider": {"enabled": False}})
    await ask(admin, "b", status=403)
    await meeting.cloud.nobody().post("/auth/OS-FEDERATION/saml2", {"auth": {}}, 400)
    await meeting.cloud.nobody().get("/auth/OS-FEDERATION/saml2/ecp", 400)


async def test_a_name_that_xml_cannot_hold(meeting: Meeting) -> None:
    cloud = {"auth_url": "https://b.test", "sp_url": "https://b.test/ECP", "enabled": True}
    await meeting.admin.put(f"{CLOUDS}/b", {"service_provider": cloud}, 201)
    await meeting.admin.patch(f"/users/{meeting.admin.body['user']['id']}", {"user": {"name": "a\x01b"}})
    await ask(meeting.admin, "b", status=400)


async def test_one_cloud_lets_the_users_of_another_one_in(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    """Both are the same cloud here: what it says as one it believes as the other."""
    file = tmp_path / "other.pem"
    given = SamlProviderSettings(entity_id=OWN_NAME, certificates=(str(file),), audience_required=False)
    settings = {"saml_providers": {"acme": given}, "base_url": "https://cloud.test"}
    cloud = await open_cloud(database, bus, tmp_path, **settings)
    meeting = await Meeting(cloud, cloud.room.clock, Signer("", b"", "")).prepare()  # type: ignore[arg-type]
    document = await cloud.nobody()("GET", "/OS-FEDERATION/saml2/metadata")
    assert (document.status_code, document.headers["content-type"]) == (200, "text/xml")
    known = etree.fromstring(document.content)
    assert known.get("entityID") == OWN_NAME
    places = {
        place.get("Location") for place in known.iterfind("md:SPSSODescriptor/md:AssertionConsumerService", NAMES)
    }
    assert places == {BASE + AUTH, BASE + WEBSSO}
    inside = known.find("md:IDPSSODescriptor/md:KeyDescriptor/ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMES).text
    file.write_text(f"-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n")
    own = {"auth_url": BASE + AUTH, "sp_url": BASE + AUTH, "enabled": True}
    await meeting.admin.put(f"{CLOUDS}/self", {"service_provider": own}, 201)
    group = (await meeting.admin.post("/groups", {"group": {"name": "crew"}}))["group"]["id"]
    demo = await cloud.login("demo")
    await meeting.admin.put(f"/groups/{group}/users/{demo.body['user']['id']}")
    demo = await cloud.login("demo")
    roles = {role["name"]: role["id"] for role in (await meeting.admin.get("/roles"))["roles"]}
    await meeting.admin.put(f"/projects/{meeting.admin.body['project']['id']}/groups/{group}/roles/{roles['reader']}")
    answer = await meeting.come((await ask(demo, "self", "/ecp")).content)
    person = Client(cloud, answer.headers["x-subject-token"], answer.json()["token"])
    assert person.body["user"]["name"] == "demo"
    assert person.body["user"]["domain"]["id"] == meeting.domain_id
    scope = {"project": {"id": meeting.admin.body["project"]["id"]}}
    inside_there = await cloud.enter(by_token(person.token, scope))
    assert [role["name"] for role in inside_there.body["roles"]] == ["reader"]
