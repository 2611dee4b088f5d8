"""A cloud and a SAML provider whose key it knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from cumulet.lib.clock import SECOND
from cumulet.services.identity.federation.saml.issuing import Signer, response
from cumulet.services.identity.federation.saml.signing import placeholder, signed
from cumulet.services.identity.federation.saml.xml import NAMES, make
from tests.api.identity.cloud import Cloud
from tests.api.identity.federation.making import PROVIDERS, make_mapping, make_provider
from tests.support.certificates import signing_pair
from tests.support.clock import JumpingClock

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
DATA = "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
Change = Callable[[Any], None]


def set_in(path: str, attribute: str, value: str) -> Change:
    """Give an attribute of an element below another value."""
    return lambda element: element.find(path, NAMES).set(attribute, value)


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
