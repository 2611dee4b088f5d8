"""From entries to people, and from options to filters."""

from __future__ import annotations

import pytest

from cumulet.drivers.directory.base import Entry
from cumulet.drivers.directory.ldap.filters import matching
from cumulet.services.identity.directories.domain import DomainDirectory
from cumulet.services.identity.directories.options import BadOption, Options
from cumulet.services.identity.directories.people import Group, Person, normal_dn, person


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=Ann,dc=x", "CN=ann, DC=X"),
        ("cn=a\\2Cb,dc=x", "cn=a\\,b,dc=x"),
        ("cn=J\\C3\\BCrgen,dc=x", "cn=jürgen,dc=x"),
        ("cn=a  b,dc=x", "cn = a b ,dc=x"),
    ],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert normal_dn(one) == normal_dn(other)


def test_names_that_differ() -> None:
    assert normal_dn("cn=a\\,dc=b,dc=x") != normal_dn("cn=a,dc=b,dc=x")


@pytest.mark.parametrize("said", ["66050", "2", "514"])
def test_the_mask_that_disables(said: str) -> None:
    options = Options.read({"user_enabled_attribute": "userAccountControl", "user_enabled_mask": 2})
    entry = Entry("cn=a", {"cn": ["a"], "sn": ["A"], "useraccountcontrol": [said]})
    found = person(entry, options, ())
    assert found is not None
    assert not found.enabled


def test_who_has_no_name_or_too_long_a_one_is_nobody() -> None:
    assert person(Entry("cn=a", {"cn": ["a"]}), Options(), ()) is None
    assert person(Entry("cn=a", {"cn": ["a"], "sn": ["x" * 256]}), Options(), ()) is None


class Listening:
    """A directory that has nobody, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def search(self, base: str, scope: object, wanted: bytes, attributes: object) -> list[Entry]:
        self.asked.append(wanted)
        return []

    async def accepts(self, dn: str, password: str) -> bool:
        return False

    async def close(self) -> None: ...


async def test_active_directory_follows_groups_in_groups() -> None:
    directory = Listening()
    domain = DomainDirectory("d", Options.read({"group_ad_nesting": True}), directory)
    await domain.groups_of(Person("a", "cn=a,dc=x", "a", True, None, {}))
    await domain.members_of(Group("g", "cn=g,dc=x", "g", "", (), {}), [])
    assert matching("member", "cn=a,dc=x") in directory.asked[0]
    assert matching("memberOf", "cn=g,dc=x") in directory.asked[1]


def test_options_as_they_are_written() -> None:
    options = Options.read({"user_attribute_ignore": "a, b,", "use_tls": "true", "page_size": "7", "user": None})
    assert (options.user_attribute_ignore, options.use_tls, options.page_size) == (["a", "b"], True, 7)
    with pytest.raises(BadOption, match=r"^use_tls"):
        Options.read({"use_tls": True, "url": "ldaps://a"})
    assert [str(address.port) for address in Options.read({"url": "ldap://a,ldaps://b:1"}).ldap().addresses] == [
        "389",
        "1",
    ]
